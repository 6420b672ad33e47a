import { ChevronLeft, ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./button";

interface PagerProps {
  page: number;
  hasNext: boolean;
  onPrevious: () => void;
  onNext: () => void;
  children?: ReactNode;
}

export function Pager({ page, hasNext, onPrevious, onNext, children }: PagerProps) {
  return (
    <nav className="pager" aria-label="Pages">
      {children}
      <div className="row push">
        <Button size="small" icon={<ChevronLeft size={14} />} disabled={page <= 1} onClick={onPrevious}>
          Previous
        </Button>
        <span>Page {page}</span>
        <Button size="small" disabled={!hasNext} onClick={onNext}>
          Next
          <ChevronRight size={14} />
        </Button>
      </div>
    </nav>
  );
}
