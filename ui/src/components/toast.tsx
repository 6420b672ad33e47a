import { CircleAlert, CircleCheck } from "lucide-react";
import { useSyncExternalStore } from "react";

interface Toast {
  id: number;
  text: string;
  isError: boolean;
}

const shownMs = 5000;
let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function change(next: Toast[]) {
  toasts = next;
  for (const listener of listeners) listener();
}

function show(text: string, isError: boolean) {
  const id = nextId++;
  change([...toasts.slice(-2), { id, text, isError }]);
  setTimeout(() => change(toasts.filter((toast) => toast.id !== id)), isError ? shownMs * 2 : shownMs);
}

export const notify = (text: string) => show(text, false);
export const notifyError = (error: unknown) => show(error instanceof Error ? error.message : String(error), true);

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((toast) => (
        <div key={toast.id} className={toast.isError ? "toast error" : "toast"}>
          {toast.isError ? <CircleAlert size={16} aria-hidden="true" /> : <CircleCheck size={16} aria-hidden="true" />}
          <span>{toast.text}</span>
        </div>
      ))}
    </div>
  );
}
