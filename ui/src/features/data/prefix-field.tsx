import { useView } from "../../app/navigation";
import { useDraft } from "../../app/use-draft";
import { SearchField } from "../../components/fields";
import { firstPage } from "../../components/token-pager";
import { repositoryView } from "./view";

/** Narrows what is listed to what begins with the text. */
export function PrefixField({ label }: { label: string }) {
  const [view, setView] = useView(repositoryView);
  const [prefix, setPrefix] = useDraft(view.prefix, (text) => setView({ ...firstPage, prefix: text }, { replace: true }));
  return <SearchField label={label} value={prefix} onChange={setPrefix} style={{ width: 210 }} />;
}
