/** What a match of a VirtualService asks, as written. */
export type Match = Readonly<Record<string, unknown>>;

function isMap(value: unknown): value is Match {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** `{exact}`, `{prefix}`, `{regex}`, or for headers `{}`: present. False when it cannot be told. */
function stringCovers(wide: unknown, narrow: unknown, ignoreCase = false): boolean {
  if (!isMap(wide) || !isMap(narrow)) return false;
  const fold = (value: unknown): unknown => (ignoreCase && typeof value === 'string' ? value.toLowerCase() : value);
  if (Object.keys(wide).length === 0) return true;
  const prefix = fold(wide['prefix']);
  const [exact, longer] = [fold(narrow['exact']), fold(narrow['prefix'])];
  if (typeof prefix === 'string') {
    return (typeof exact === 'string' && exact.startsWith(prefix)) || (typeof longer === 'string' && longer.startsWith(prefix));
  }
  if (wide['exact'] !== undefined) return fold(wide['exact']) === exact;
  return wide['regex'] !== undefined && wide['regex'] === narrow['regex'];
}

/** Each name that `wide` asks for, `narrow` asks for no less. */
function mapCovers(wide: unknown, narrow: unknown, covers: (wide: unknown, narrow: unknown) => boolean): boolean {
  if (wide === undefined) return true;
  if (!isMap(wide)) return false;
  return Object.entries(wide).every(([name, value]) => isMap(narrow) && name in narrow && covers(value, narrow[name]));
}

function hostCovers(wide: string, narrow: string): boolean {
  return wide === narrow || wide === '*' || (wide.startsWith('*.') && narrow.endsWith(wide.slice(1)));
}

/** Of the lists, in which one must be met, `narrow`'s is a part of `wide`'s. */
function anyOf(wide: unknown, narrow: unknown, covers: (wide: string, narrow: string) => boolean): boolean {
  if (wide === undefined) return true;
  const [all, few] = [texts(wide), texts(narrow)];
  return few.length > 0 && few.every((one) => all.some((other) => covers(other, one)));
}

const exactly = (one: string, other: string): boolean => one === other;

const KNOWN: ReadonlySet<string> = new Set([
  'uri',
  'ignoreUriCase',
  'scheme',
  'method',
  'authority',
  'headers',
  'withoutHeaders',
  'queryParams',
  'port',
  'sourceLabels',
  'sourceNamespace',
  'gateways',
  'sniHosts',
]);

function fieldCovers(name: string, wide: Match, narrow: Match): boolean {
  const [one, other] = [wide[name], narrow[name]];
  switch (name) {
    case 'uri':
      return (
        stringCovers(one, other, wide['ignoreUriCase'] === true) &&
        (wide['ignoreUriCase'] === true || narrow['ignoreUriCase'] !== true)
      );
    case 'ignoreUriCase':
      return true;
    case 'scheme':
    case 'method':
    case 'authority':
      return stringCovers(one, other);
    case 'headers':
    case 'queryParams':
      return mapCovers(one, other, (a, b) => stringCovers(a, b));
    case 'sourceLabels':
    case 'withoutHeaders':
      return mapCovers(one, other, same);
    case 'gateways':
      return anyOf(one, other, exactly);
    case 'sniHosts':
      return anyOf(one, other, hostCovers);
    default:
      return same(one, other);
  }
}

/** True when `wide` matches everything that `narrow` matches. What is not understood has to be equal. */
export function matchCovers(wide: Match, narrow: Match, protocol: 'http' | 'tls' | 'tcp'): boolean {
  if (protocol !== 'http' && Object.keys(wide).length === 0) return true;
  return Object.keys(wide).every((name) => (KNOWN.has(name) ? fieldCovers(name, wide, narrow) : same(wide[name], narrow[name])));
}
