import { flag, integer, moment, optionalText, text } from "../../app/url-state";

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
