// Just enough of MLflow's filter language to develop against: clauses joined by AND, and its error messages.

export class BadRequest extends Error {}

const clausePattern = /^\s*(?:(\w+)\.)?(`[^`]+`|"[^"]+"|[\w./ -]+?)\s*(!=|>=|<=|=|>|<|\bI?LIKE\b|\bNOT IN\b|\bIN\b)\s*(.+?)\s*$/is;

export function compileFilter(filter) {
  if (!filter?.trim()) return () => true;
  if (/\sor\s/i.test(filter)) throw new BadRequest("Invalid clause(s) in filter string: 'or'");
  const clauses = filter.split(/\s+and\s+/i).map((clause) => {
    const match = clausePattern.exec(clause);
    if (!match) throw new BadRequest(`Invalid filter '${filter}'. Could not be parsed.`);
    const entity = (match[1] ?? "attributes").toLowerCase().replace(/s$/, "");
    if (!["metric", "param", "parameter", "tag", "attribute", "dataset"].includes(entity)) {
      throw new BadRequest(`Invalid entity type '${match[1]}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`);
    }
    return { entity, key: match[2].replace(/^[`"]|[`"]$/g, ""), operator: match[3].toUpperCase(), raw: match[4] };
  });
  return (run) => clauses.every((clause) => holds(run, clause));
}

function holds(run, { entity, key, operator, raw }) {
  if (entity === "metric") {
    if (Number.isNaN(Number(raw))) throw new BadRequest(`Expected numeric value type for metric. Found ${raw}`);
    const left = Number(run.metrics[key]);
    const right = Number(raw);
    return run.metrics[key] !== undefined && compare(left, operator, right);
  }
  if (!/^['"(]/.test(raw) && Number.isNaN(Number(raw))) throw new BadRequest(`Expected a quoted string value for ${entity} (e.g. 'my-value'). Got value ${raw}`);
  const left = entity === "tag" ? run.tags[key] : entity === "attribute" ? run[key] : run.params[key];
  if (left === undefined) return false;
  if (operator === "IN" || operator === "NOT IN") return raw.slice(1, -1).split(",").map((item) => item.trim().replace(/^'|'$/g, "")).includes(String(left)) === (operator === "IN");
  const right = raw.replace(/^['"]|['"]$/g, "");
  if (/LIKE/.test(operator)) return new RegExp(`^${right.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("%", ".*")}$`, operator === "ILIKE" ? "i" : "").test(left);
  return typeof left === "number" ? compare(left, operator, Number(right)) : compare(String(left), operator, right);
}

function compare(left, operator, right) {
  switch (operator) {
    case "=": return left === right;
    case "!=": return left !== right;
    case ">": return left > right;
    case "<": return left < right;
    case ">=": return left >= right;
    case "<=": return left <= right;
    default: throw new BadRequest(`Invalid comparator '${operator}'`);
  }
}

export function sortRuns(runs, orderBy = []) {
  const keys = orderBy.map((text) => {
    const match = /^(?:(\w+)\.)?(.+?)(?:\s+(ASC|DESC))?$/i.exec(text);
    return { entity: match[1] ?? "attributes", key: match[2].replace(/^`|`$/g, ""), sign: /desc/i.test(match[3] ?? "") ? -1 : 1 };
  });
  keys.push({ entity: "attributes", key: "start_time", sign: -1 });
  const value = (run, { entity, key }) => (entity === "metrics" ? Number(run.metrics[key]) : entity === "params" ? run.params[key] : entity === "tags" ? run.tags[key] : run[key]);
  return [...runs].sort((a, b) => {
    for (const key of keys) {
      const left = value(a, key);
      const right = value(b, key);
      if (left === right) continue;
      if (left === undefined || Number.isNaN(left)) return 1;
      if (right === undefined || Number.isNaN(right)) return -1;
      return (left < right ? -1 : 1) * key.sign;
    }
    return 0;
  });
}
