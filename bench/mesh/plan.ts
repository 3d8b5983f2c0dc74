/** What a generated mesh consists of. The same options make the same mesh, byte for byte. */
export interface MeshOptions {
  readonly services: number;
  readonly proxies: number;
  readonly namespaces: number;
  /** `entries`: ServiceEntries with addresses, which any reader of Istio's kinds takes; `services`: Services, Deployments and Pods. */
  readonly form: Form;
  readonly seed: number;
}

export const FORMS = Object.freeze(['entries', 'services'] as const);
export type Form = (typeof FORMS)[number];

export const ENDPOINTS = 3;
/** One service of so many has a VirtualService and a DestinationRule. */
const ROUTED_EVERY = 10;

export interface PlannedService {
  readonly index: number;
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly address: string;
  readonly endpoints: readonly string[];
  /** Percent for the first of two subsets; undefined without routes. */
  readonly weight: number | undefined;
}

export interface PlannedProxy {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly serviceAccount: string;
  readonly ip: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface MeshPlan {
  readonly options: MeshOptions;
  readonly namespaces: readonly string[];
  readonly services: readonly PlannedService[];
  readonly proxies: readonly PlannedProxy[];
}

/** Mulberry32: enough for weights, and the same everywhere. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The `index`-th address of 10.BLOCK.0.0 and on. */
function address(block: number, index: number): string {
  return `10.${String(block + (index >>> 16))}.${String((index >>> 8) & 255)}.${String(index & 255)}`;
}

const digits = (index: number, width: number): string => String(index).padStart(width, '0');

export function planMesh(options: MeshOptions): MeshPlan {
  const next = random(options.seed);
  const namespaces = Array.from({ length: options.namespaces }, (_, index) => `ns-${digits(index, 3)}`);
  const spaceOf = (index: number): string => namespaces[index % namespaces.length] ?? 'ns-000';
  const services = Array.from({ length: options.services }, (_, index): PlannedService => {
    const name = `svc-${digits(index, 5)}`;
    const namespace = spaceOf(index);
    return {
      index,
      name,
      namespace,
      host: `${name}.${namespace}.svc.cluster.local`,
      address: address(96, index),
      endpoints: Array.from({ length: ENDPOINTS }, (_unused, endpoint) => address(32, index * ENDPOINTS + endpoint + 1)),
      weight: index % ROUTED_EVERY === 0 ? 10 + Math.floor(next() * 80) : undefined,
    };
  });
  const proxies = Array.from({ length: options.proxies }, (_, index): PlannedProxy => {
    const service = options.form === 'services' ? services[index] : undefined;
    if (service !== undefined) {
      const { name, namespace, endpoints } = service;
      const [ip = ''] = endpoints;
      return { name, namespace, pod: `${name}-0`, serviceAccount: name, ip, labels: { app: name, version: 'v1' } };
    }
    const name = `proxy-${digits(index, 5)}`;
    return {
      name,
      namespace: spaceOf(index),
      pod: `${name}-0`,
      serviceAccount: name,
      ip: address(16, index + 1),
      labels: { app: name },
    };
  });
  return { options, namespaces, services, proxies };
}
