import { isJson, listAt, mapAt, textAt } from '../api/json.ts';

/** How far one object has come among the proxies of one replica. */
export interface ReportedObject {
  /** As `virtualservices.networking.istio.io/shop/web`. */
  readonly place: string;
  readonly applied: number;
  readonly lagging: readonly string[];
  readonly rejectedBy: readonly string[];
}

export interface ReportedProxy {
  readonly node: string;
  readonly identity: string;
  readonly detail: string;
}

/** What a replica says of its proxies, to the others. */
export interface ReplicaReport {
  /** The last question that it has seen: what it says was so after that. */
  readonly answers: string;
  /** Which objects it has in effect, at which generation: a digest. */
  readonly configuration: string;
  /** Its proxies that are known. */
  readonly proxies: number;
  /** Objects that not all of them have. */
  readonly objects: readonly ReportedObject[];
  /** True when there are more than could be named. */
  readonly more: boolean;
  /** Which store it keeps records of calls in, and why that takes none; undefined where it does not say. */
  readonly records: { readonly store: string; readonly stuck: string | undefined } | undefined;
  /** How many of its proxies are in each namespace that is being rolled out. */
  readonly rollouts: Readonly<Record<string, number>>;
  readonly rotation: {
    /** How far it follows a rotation: as the record says it. */
    readonly state: string;
    /** SHA-256 of its trust bundle. */
    readonly bundle: string;
    /** Whether its proxies have had time to come back since its start. */
    readonly settled: boolean;
    readonly behind: readonly ReportedProxy[];
    readonly connected: readonly string[];
    /** Nodes of all its proxies; told while a rotation is under way. */
    readonly nodes: readonly string[];
  };
  /** Its issuance log: whose it is, and how many bytes of it are on its disk. */
  readonly log: { readonly origin: string; readonly bytes: number } | undefined;
}

/** Undefined for what is no report. */
export function parseReport(text: string): ReplicaReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJson(value)) return undefined;
  const { rotation, proxies, log, records } = value;
  if (!isJson(rotation) || typeof proxies !== 'number') return undefined;
  const bytes = isJson(log) && typeof log['bytes'] === 'number' ? log['bytes'] : undefined;
  return {
    answers: textAt(value, 'answers'),
    configuration: textAt(value, 'configuration'),
    proxies,
    objects: listAt(value, 'objects').map((one) => ({
      place: textAt(one, 'place'),
      applied: isJson(one) && typeof one['applied'] === 'number' ? one['applied'] : 0,
      lagging: texts(listAt(one, 'lagging')),
      rejectedBy: texts(listAt(one, 'rejectedBy')),
    })),
    more: value['more'] !== false,
    records: isJson(records)
      ? { store: textAt(records, 'store'), stuck: textAt(records, 'stuck') === '' ? undefined : textAt(records, 'stuck') }
      : undefined,
    rollouts: Object.fromEntries(
      Object.entries(mapAt(value, 'rollouts')).flatMap(([name, count]) => (typeof count === 'number' ? [[name, count]] : [])),
    ),
    rotation: {
      state: textAt(rotation, 'state'),
      bundle: textAt(rotation, 'bundle'),
      settled: rotation['settled'] === true,
      behind: listAt(rotation, 'behind').map((one) => ({
        node: textAt(one, 'node'),
        identity: textAt(one, 'identity'),
        detail: textAt(one, 'detail'),
      })),
      connected: texts(listAt(rotation, 'connected')),
      nodes: texts(listAt(rotation, 'nodes')),
    },
    log: bytes === undefined ? undefined : { origin: textAt(log, 'origin'), bytes },
  };
}

function texts(values: readonly unknown[]): readonly string[] {
  return values.filter((value) => typeof value === 'string');
}
