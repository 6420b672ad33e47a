/** The order of names for people: `layer2` before `layer10`, capitals among the rest. */
export const byName = (a: string, b: string): number => a.localeCompare(b, undefined, { numeric: true });
