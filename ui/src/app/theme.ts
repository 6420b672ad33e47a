import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const storageKey = "lathe.theme";
const listeners = new Set<() => void>();

export function currentTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export function setTheme(theme: Theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(storageKey);
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(storageKey, theme);
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  listeners.add(listener);
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
}

const snapshot = () => `${currentTheme()}/${matchMedia("(prefers-color-scheme: dark)").matches}`;

/** Changes whenever the colours on screen change: canvases must be drawn again. */
export const useThemeKey = () => useSyncExternalStore(subscribe, snapshot);
