import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { IconButton } from "./button";
import { notifyError } from "./toast";

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      notifyError("The browser does not allow copying here: select the text and copy it by hand.");
    }
  };
  return (
    <IconButton
      size="small"
      label={isCopied ? "Copied" : label}
      icon={isCopied ? <Check size={14} /> : <Copy size={14} />}
      onClick={() => void copy()}
    />
  );
}

/** Lines to copy into a terminal or a script. */
export function Snippet({ code, label = "Copy snippet" }: { code: string; label?: string }) {
  return (
    <div className="snippet">
      <pre tabIndex={0} aria-label="Snippet">{code}</pre>
      <CopyButton text={code} label={label} />
    </div>
  );
}
