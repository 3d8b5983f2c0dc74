/** A literal for RE2 (https://github.com/google/re2/wiki/Syntax): every metacharacter is escaped. */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}-]/g, String.raw`\$&`);
}

/** RE2 for one of several alternatives. */
export function oneOf(alternatives: readonly string[]): string {
  const distinct = [...new Set(alternatives)];
  const [first] = distinct;
  return distinct.length === 1 && first !== undefined ? first : `(?:${distinct.join('|')})`;
}

/** Envoy refuses an expression whose RE2 program has more steps; the agent's bootstrap sets 32,768, as Istio's does. */
const MOST_STEPS = 24_000;

/** More than `.` or a negated class takes in UTF-8, for each wildcard. */
const WILDCARD_STEPS = 48;

function sharedPrefix(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}

/**
 * Alternatives in as few groups as Envoy can compile as one expression each. They are sorted, because RE2 then shares the
 * beginnings that neighbours have in common, which is most of a SPIFFE ID.
 */
export function inGroups(alternatives: readonly string[]): readonly (readonly string[])[] {
  const groups: string[][] = [];
  let group: string[] = [];
  let steps = 0;
  let previous = '';
  for (const alternative of [...new Set(alternatives)].sort()) {
    const wildcards = alternative.match(/[*+]/g)?.length ?? 0;
    const cost = Buffer.byteLength(alternative.slice(sharedPrefix(previous, alternative))) + 2 + wildcards * WILDCARD_STEPS;
    if (group.length > 0 && steps + cost > MOST_STEPS) {
      groups.push(group);
      group = [];
      steps = Buffer.byteLength(alternative);
    }
    group.push(alternative);
    steps += cost;
    previous = alternative;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
