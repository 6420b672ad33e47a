import { flag, integer, optionalText, text, type Field } from "../../app/url-state";

/** A moment as `2026-11-25T09:30Z`: readable, and the same moment in every time zone. */
const moment = (key: string): Field<number | undefined> => ({
  key,
  parse: (raw) => {
    const at = Date.parse(raw ?? "");
    return Number.isNaN(at) ? undefined : at;
  },
  print: (at) => (at === undefined ? undefined : new Date(at).toISOString().replace(/:00\.000Z$/, "Z")),
});

export const auditView = {
  action: text("action"),
  actor: text("actor"),
  subject: text("subject"),
  fromMs: moment("from"),
  toMs: moment("to"),
  page: integer("page", 1, 1, 1_000_000),
  pageToken: optionalText("token"),
  /** The event whose row is open. */
  event: optionalText("event"),
  isVerifying: flag("verify"),
};

export type AuditView = { [K in keyof typeof auditView]: ReturnType<(typeof auditView)[K]["parse"]> };

/** A change of what is listed begins at the first page. */
export const firstPage = { page: 1, pageToken: undefined, event: undefined };
