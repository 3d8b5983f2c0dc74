/** One test as written: each list multiplies. Fields of a request are as `gatehouse policy check` takes them. */
export interface WrittenTest {
  readonly name: string;
  /** Where it stands: `tests[2]`. */
  readonly at: string;
  readonly index: number;
  readonly from: readonly string[] | undefined;
  /** These callers are to be allowed, and everybody else denied. */
  readonly onlyFrom: readonly string[] | undefined;
  readonly to: readonly string[] | undefined;
  readonly method: readonly string[] | undefined;
  readonly path: readonly string[] | undefined;
  readonly host: readonly string[] | undefined;
  readonly request: Fields;
  readonly expect: 'ALLOW' | 'DENY' | undefined;
  readonly by: string | undefined;
  readonly rule: number | undefined;
}

export interface ReadTests {
  readonly tests: readonly WrittenTest[];
  /** One line for each: `tests[2].expect: must be ALLOW or DENY`. */
  readonly faults: readonly string[];
}

export type Fields = Readonly<Record<string, unknown>>;
type Fault = (path: string, message: string) => void;

const LISTS = ['from', 'onlyFrom', 'to', 'method', 'path', 'host'] as const;
const REQUEST = ['source', 'destination', 'request', 'jwt', 'extAuthz'] as const;
const OUTCOME = ['expect', 'by', 'rule'] as const;
const GIVEN: readonly string[] = [...LISTS, 'headers', ...REQUEST, ...OUTCOME];
const KNOWN: readonly string[] = ['name', 'given', ...GIVEN];

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function record(value: unknown, path: string, known: readonly string[] | undefined, fault: Fault): Fields {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) {
    fault(path, 'must be a mapping');
    return {};
  }
  for (const name of known === undefined ? [] : Object.keys(value)) {
    if (known?.includes(name) === false)
      fault(path === '' ? name : `${path}.${name}`, `is not known; known here: ${known.join(', ')}`);
  }
  return value;
}

/** The second over the first, mapping by mapping. */
function over(base: Fields, own: Fields): Fields {
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(own)) {
    const before = merged[name];
    merged[name] = isRecord(before) && isRecord(value) ? over(before, value) : value;
  }
  return merged;
}

function list(fields: Fields, name: string, path: string, fault: Fault): readonly string[] | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = items.flatMap((item) => (typeof item === 'string' && item !== '' ? [item] : []));
  if (texts.length === items.length && texts.length > 0) return texts;
  fault(`${path}.${name}`, 'must be text, or a list of texts that is not empty');
  return undefined;
}

function outcome(fields: Fields, path: string, fault: Fault): Pick<WrittenTest, 'expect' | 'by' | 'rule'> {
  const { expect, by, rule } = fields;
  const only = fields['onlyFrom'] !== undefined;
  if (only && fields['from'] !== undefined)
    fault(path, 'has both from and onlyFrom; onlyFrom says who is allowed, all others are denied');
  if (only && expect !== undefined)
    fault(`${path}.expect`, 'says nothing beside onlyFrom, which expects ALLOW of those and DENY of all others');
  if (!only && expect !== 'ALLOW' && expect !== 'DENY') fault(`${path}.expect`, 'must be ALLOW or DENY');
  if (by !== undefined && by !== null && (typeof by !== 'string' || !/^[^/\s]+\/[^/\s]+$/.test(by)))
    fault(`${path}.by`, 'must be NAMESPACE/POLICY');
  if (rule !== undefined && rule !== null && (typeof rule !== 'number' || !Number.isInteger(rule) || rule < 0))
    fault(`${path}.rule`, 'must be a number, counting from 0');
  return {
    expect: expect === 'ALLOW' || expect === 'DENY' ? expect : undefined,
    by: typeof by === 'string' ? by : undefined,
    rule: typeof rule === 'number' ? rule : undefined,
  };
}

function test(item: unknown, index: number, defaults: Fields, fault: Fault): WrittenTest {
  const at = `tests[${index}]`;
  const written = record(item, at, KNOWN, fault);
  const { given, name, ...own } = written;
  const fields = over(over(defaults, record(given, `${at}.given`, GIVEN, fault)), own);
  if (typeof name !== 'string' || name === '') fault(`${at}.name`, 'must be given');
  const lists = Object.fromEntries(LISTS.map((field) => [field, list(fields, field, at, fault)]));
  const headers = record(fields['headers'], `${at}.headers`, undefined, fault);
  const base = Object.fromEntries(REQUEST.flatMap((field) => (fields[field] === undefined ? [] : [[field, fields[field]]])));
  return {
    name: typeof name === 'string' ? name : at,
    at,
    index,
    from: lists['from'],
    onlyFrom: lists['onlyFrom'],
    to: lists['to'],
    method: lists['method'],
    path: lists['path'],
    host: lists['host'],
    request: Object.keys(headers).length === 0 ? base : over(base, { request: { headers } }),
    ...outcome(fields, at, fault),
  };
}

/** Reads a file of expectations, already parsed from YAML. A field that is not known is a fault: misspelt, it would test something else. */
export function readTests(input: unknown): ReadTests {
  const faults: string[] = [];
  const fault: Fault = (path, message) => faults.push(path === '' ? message : `${path}: ${message}`);
  if (!isRecord(input)) return { tests: [], faults: ['must be a mapping with a list of tests'] };
  const fields = record(input, '', ['given', 'tests'], fault);
  const defaults = record(fields['given'], 'given', GIVEN, fault);
  const { tests } = fields;
  if (!Array.isArray(tests) || tests.length === 0)
    return { tests: [], faults: [...faults, 'tests: must be a list of tests that is not empty'] };
  const items: readonly unknown[] = tests;
  return { tests: items.map((item, index) => test(item, index, defaults, fault)), faults };
}
