import { CircleCheck, Circle } from "lucide-react";
import { useState } from "react";
import type { Home } from "../../api/native";
import { Snippet } from "../../components/copy";

/** First steps. A step is done when its event stands in the ledger: nobody ticks it by hand. */
export function GettingStarted({ steps }: { steps: Home["getting_started"] }) {
  const next = steps.find((step) => !step.done)?.id;
  const [open, setOpen] = useState<string | undefined>();
  const shown = open ?? next;
  return (
    <ol className="steps">
      {steps.map((step) => {
        const isOpen = step.id === shown;
        return (
          <li key={step.id}>
            <button type="button" aria-expanded={isOpen} onClick={() => setOpen(isOpen ? "" : step.id)}>
              {step.done ? <CircleCheck size={16} className="done" aria-hidden="true" /> : <Circle size={16} aria-hidden="true" />}
              <span className={step.done ? "muted" : ""}>{step.title}</span>
              <span className="visually-hidden">{step.done ? "(done)" : "(to do)"}</span>
            </button>
            {isOpen ? <Snippet code={step.snippet.replaceAll("{origin}", location.origin)} /> : null}
          </li>
        );
      })}
    </ol>
  );
}
