import { flag, integer, list, optionalText, text } from "../../app/url-state";

export const experimentsView = {
  search: text("q"),
  isDeleted: flag("deleted"),
  page: integer("page", 1, 1, 1_000_000),
  pageToken: optionalText("token"),
  selected: list("sel"),
};
