import { Outlet } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { Toasts } from "../components/toast";
import { Session } from "./session";
import { Shortcuts } from "./shortcuts";
import { Sidebar } from "./sidebar";

const loadPalette = () => import("./palette");
const Palette = lazy(loadPalette);
const palettePauseMs = 2000;

/** What surrounds every page of a project. */
export function Shell() {
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const openPalette = useCallback(() => setPaletteOpen(true), []);
  useEffect(() => {
    // Fetched before it is asked for: letters typed right after the key must not be lost.
    const timer = setTimeout(() => void loadPalette().catch(() => {}), palettePauseMs);
    return () => clearTimeout(timer);
  }, []);
  return (
    <>
      <Session>
        <a className="skip-link" href="#content">
          Skip to content
        </a>
        <div className="shell">
          <Sidebar onPalette={openPalette} />
          <div className="main">
            <main id="content" tabIndex={-1}>
              <Outlet />
            </main>
          </div>
        </div>
        <Shortcuts onPalette={openPalette} />
        {isPaletteOpen ? (
          <Suspense fallback={null}>
            <Palette onClose={() => setPaletteOpen(false)} />
          </Suspense>
        ) : null}
      </Session>
      <Toasts />
    </>
  );
}
