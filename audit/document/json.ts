/** The members of an object; those that are functions give lists, which are written member by member. */
export type Members = Readonly<Record<string, unknown>>;

type List = () => Iterable<unknown>;

function isList(value: unknown): value is List {
  return typeof value === 'function';
}

function indented(value: unknown, by: string): string {
  return JSON.stringify(value, undefined, 2).replaceAll('\n', `\n${by}`);
}

function* list(values: Iterable<unknown>, by: string): Generator<string> {
  let before = '[\n';
  for (const value of values) {
    yield `${before}${by}  ${indented(value, `${by}  `)}`;
    before = ',\n';
  }
  yield before === '[\n' ? '[]' : `\n${by}]`;
}

/** One JSON document, as JSON.stringify would write it with two spaces, in pieces. Undefined members are left out. */
export function* jsonObject(members: Members): Generator<string> {
  let before = '{\n';
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) continue;
    yield `${before}  ${JSON.stringify(name)}: `;
    if (isList(value)) yield* list(value(), '  ');
    else yield indented(value, '  ');
    before = ',\n';
  }
  yield before === '{\n' ? '{}\n' : '\n}\n';
}

export function* jsonArray(values: Iterable<unknown>): Generator<string> {
  yield* list(values, '');
  yield '\n';
}
