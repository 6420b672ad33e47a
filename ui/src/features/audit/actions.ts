// Every action that the ledger knows, by what it happens to.

const verbs: Record<string, string[]> = {
  experiment: ["created", "updated", "deleted", "restored", "tagged"],
  run: ["created", "updated", "finished", "deleted", "restored", "logged", "tagged", "inputs_logged", "outputs_logged"],
  artifact: ["uploaded", "deleted"],
  model: ["created", "updated", "renamed", "deleted", "tagged"],
  version: ["created", "updated", "deleted", "staged", "tagged"],
  alias: ["set", "deleted"],
  logged_model: ["created", "updated", "deleted", "tagged"],
  user: ["created", "deleted", "password_changed"],
  token: ["created", "revoked"],
  project: ["created"],
  member: ["set", "removed"],
};

export const actionGroups = Object.entries(verbs).map(([noun, list]) => ({
  noun,
  label: noun.replaceAll("_", " "),
  actions: list.map((verb) => `${noun}.${verb}`),
}));
