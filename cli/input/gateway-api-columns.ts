import { isRecord } from './manifest.ts';

// The columns that kubectl prints of the kinds of the Gateway API (their CRDs' additionalPrinterColumns), and with `wide` what else their status says.

type Fields = Readonly<Record<string, unknown>>;
export type Column = readonly [heading: string, of: (object: Fields) => string];

const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((found, step) => (isRecord(found) ? found[step] : undefined), value);
const list = (value: unknown, ...path: readonly string[]): readonly Fields[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found.filter(isRecord) : [];
};
const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

function condition(object: unknown, type: string): string {
  const found = list(object, 'conditions').find((one) => one['type'] === type);
  return text(found?.['status']);
}

/** True, False with the reason, or what the several parents say. */
function ofAll(objects: readonly unknown[], type: string): string {
  const said = objects.map((one) => {
    const found = list(one, 'conditions').find((each) => each['type'] === type);
    return found?.['status'] === 'True' ? 'True' : `${text(found?.['status'])} (${text(found?.['reason'])})`;
  });
  return [...new Set(said)].join(', ');
}

const LISTENERS: Column = [
  'LISTENERS',
  (object) =>
    list(object, 'status', 'listeners')
      .map((one) => `${text(one['name'])}:${text(one['attachedRoutes'])}${condition(one, 'Programmed') === 'True' ? '' : '!'}`)
      .join(','),
];
const status = (type: string): Column => [type.toUpperCase(), (object) => condition(object['status'], type)];
const REASON: Column = [
  'REASON',
  (object) =>
    list(object, 'status', 'conditions')
      .filter((one) => one['status'] !== 'True')
      .map((one) => text(one['reason']))
      .join(','),
];
const PARENTS: readonly Column[] = [
  [
    'PARENTS',
    (object) =>
      list(object, 'status', 'parents')
        .map((one) => text(at(one, 'parentRef', 'name')))
        .join(','),
  ],
  ['ACCEPTED', (object) => ofAll(list(object, 'status', 'parents'), 'Accepted')],
  ['RESOLVEDREFS', (object) => ofAll(list(object, 'status', 'parents'), 'ResolvedRefs')],
];
const HOSTNAMES: Column = [
  'HOSTNAMES',
  (object) => {
    const found = at(object, 'spec', 'hostnames');
    return Array.isArray(found) && found.length > 0 ? JSON.stringify(found) : '';
  },
];
const age = (now: Date): Column => [
  'AGE',
  (object) => {
    const made = Date.parse(text(at(object, 'metadata', 'creationTimestamp')));
    if (Number.isNaN(made)) return '<unknown>';
    const seconds = Math.max(0, Math.floor((now.getTime() - made) / 1000));
    const [size, unit] = seconds < 120 ? [1, 's'] : seconds < 7200 ? [60, 'm'] : seconds < 172_800 ? [3600, 'h'] : [86_400, 'd'];
    return `${Math.floor(seconds / size)}${unit}`;
  },
];

/** The columns after NAME; undefined for a kind that has none of its own. */
export function gatewayApiColumns(kind: string, wide: boolean, now: Date): readonly Column[] | undefined {
  const more = (columns: readonly Column[]) => (wide ? columns : []);
  switch (kind) {
    case 'GatewayClass':
      return [
        ['CONTROLLER', (object) => text(at(object, 'spec', 'controllerName'))],
        status('Accepted'),
        age(now),
        ...more([REASON]),
      ];
    case 'KubernetesGateway':
      return [
        ['CLASS', (object) => text(at(object, 'spec', 'gatewayClassName'))],
        [
          'ADDRESS',
          (object) =>
            list(object, 'status', 'addresses')
              .map((one) => text(one['value']))
              .join(','),
        ],
        status('Programmed'),
        age(now),
        ...more([status('Accepted'), LISTENERS, REASON]),
      ];
    case 'ListenerSet':
      return [status('Accepted'), status('Programmed'), age(now), ...more([LISTENERS, REASON])];
    case 'HTTPRoute':
    case 'GRPCRoute':
      return [HOSTNAMES, age(now), ...more(PARENTS)];
    case 'TLSRoute':
      return [...more([HOSTNAMES]), age(now), ...more(PARENTS)];
    case 'TCPRoute':
      return [age(now), ...more(PARENTS)];
    case 'ReferenceGrant':
      return [age(now)];
    case 'BackendTLSPolicy':
      return [
        age(now),
        ...more([
          ['ACCEPTED', (object) => ofAll(list(object, 'status', 'ancestors'), 'Accepted')],
          ['RESOLVEDREFS', (object) => ofAll(list(object, 'status', 'ancestors'), 'ResolvedRefs')],
        ]),
      ];
    default:
      return undefined;
  }
}

const listed = (value: unknown): string => {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string').join(',') : '';
};

/** The columns after NAME of the other kinds: Istio's and ours, and what is neither. */
export function meshColumns(
  group: 'mesh' | 'other',
  { wide, now, live }: { readonly wide: boolean; readonly now: Date; readonly live: boolean },
): readonly Column[] {
  const aged = live ? [age(now)] : [];
  if (group === 'other') return aged;
  return [
    ['GATEWAYS', (object) => listed(at(object, 'spec', 'gateways'))],
    ['HOSTS', (object) => listed(at(object, 'spec', 'hosts') ?? at(object, 'spec', 'host'))],
    ...aged,
    ...(live && wide ? [status('Accepted'), PROGRAMMED, REASON] : []),
  ];
}

/** As the control plane writes it: `3 of 3 proxies`. */
const PROGRAMMED: Column = [
  'PROGRAMMED',
  (object) => {
    const found = list(object, 'status', 'conditions').find((one) => one['type'] === 'Programmed');
    const [, count] = /^(\d+ of \d+)/.exec(text(found?.['message'])) ?? [];
    return count === undefined ? text(found?.['status']) : `${text(found?.['status'])} (${count})`;
  },
];
