import type { TokenScope } from "../../api/native";

/** What a token may do. */
export const scopeWords: Record<TokenScope, string> = { all: "Read and write", read: "Only read", infer: "Only ask models" };
