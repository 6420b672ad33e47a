import { Dialog as Primitive } from "radix-ui";
import { useState, type ReactNode } from "react";
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
  onSubmit: () => Promise<unknown>;
  children?: ReactNode;
}

/** A dialog around one change: it stays open with the server's message when the change is refused. */
export function FormDialog({ action, danger, disabled, onSubmit, children, onOpenChange, ...dialog }: FormDialogProps) {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const close = (open: boolean) => {
    setError(undefined);
    onOpenChange(open);
  };
  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onSubmit();
      close(false);
    } catch (refusal) {
      setError(refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog {...dialog} onOpenChange={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // A dialog is a React child of the row that opened it; its submit must not reach that row's form.
          event.stopPropagation();
          void submit();
        }}
      >
        {children}
        {error ? <ErrorNote error={error} /> : null}
        <div className="dialog-actions">
          <Button onClick={() => close(false)}>Cancel</Button>
          <Button type="submit" variant={danger ? "danger" : "primary"} disabled={disabled || isBusy}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
