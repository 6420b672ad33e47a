import { Dialog as Primitive } from "radix-ui";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { Button } from "./button";
import { ErrorNote } from "./error-note";

interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  about?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}

export function Dialog({ open, onOpenChange, title, about, wide, children }: DialogProps) {
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="overlay" />
        <Primitive.Content className={wide ? "dialog wide" : "dialog"} {...(about ? {} : { "aria-describedby": undefined })}>
          <Primitive.Title>{title}</Primitive.Title>
          {about ? (
            <Primitive.Description asChild>
              <div className="dialog-about">{about}</div>
            </Primitive.Description>
          ) : null}
          {children}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

interface FormDialogProps extends Omit<DialogProps, "children"> {
  action: string;
  danger?: boolean;
  disabled?: boolean;
  /** The signal says that "Stop" was pressed, or that the dialog is gone with its page. */
  onSubmit: (signal: AbortSignal) => Promise<unknown>;
  /** Whether the change can be stopped half way. */
  canStop?: boolean;
  /** What Escape or a click beside the dialog would lose, as a sentence: it is shown, and only "Cancel" closes. */
  unsaved?: string;
  children?: ReactNode;
}

/** A dialog around one change: it stays open while the change is under way, and with the server's message when it is refused. */
export function FormDialog({ action, danger, disabled, onSubmit, canStop, unsaved, children, onOpenChange, ...dialog }: FormDialogProps) {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const [isHeld, setHeld] = useState(false);
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);
  const close = () => {
    setError(undefined);
    setHeld(false);
    onOpenChange(false);
  };
  const dismiss = () => {
    if (isBusy) return;
    if (unsaved) setHeld(true);
    else close();
  };
  const submit = async () => {
    const { signal } = (abort.current = new AbortController());
    setBusy(true);
    setError(undefined);
    try {
      await onSubmit(signal);
      close();
    } catch (refusal) {
      if (!signal.aborted) setError(refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog {...dialog} onOpenChange={(open) => open || dismiss()}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // A dialog is a React child of the row that opened it; its submit must not reach that row's form.
          event.stopPropagation();
          if (!isBusy) void submit();
        }}
      >
        {children}
        {error ? <ErrorNote error={error} /> : null}
        {isHeld && unsaved ? <p className="note" role="status">{unsaved} “Cancel” closes all the same.</p> : null}
        <div className="dialog-actions">
          {isBusy && canStop ? (
            <Button onClick={() => abort.current?.abort()}>Stop</Button>
          ) : (
            <Button disabled={isBusy} onClick={close}>Cancel</Button>
          )}
          <Button type="submit" variant={danger ? "danger" : "primary"} disabled={disabled || isBusy}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
