/** Hands a text, or the parts of one, to the browser as a download. */
export function saveFile(name: string, type: string, text: string | string[]) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text].flat(), { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
