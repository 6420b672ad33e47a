import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  variant?: "plain" | "primary" | "ghost" | "danger";
  size?: "normal" | "small";
  icon?: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ variant = "plain", size = "normal", icon, className = "", children, type = "button", ...rest }: ButtonProps) {
  return (
    <button type={type} className={`button ${variant} ${size} ${className}`} {...rest}>
      {icon}
      {children}
    </button>
  );
}

/** A button without text. Its label is read aloud and shown as a tip. */
export function IconButton({ label, icon, className = "", variant = "ghost", ...rest }: ButtonProps & { label: string }) {
  return (
    <Button {...rest} variant={variant} icon={icon} className={`icon ${className}`} aria-label={label} title={rest.title ?? label} />
  );
}
