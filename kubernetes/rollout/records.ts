import { gunzipSync, gzipSync } from 'node:zlib';
import type { ApiClient } from '../api/client.ts';
import type { RolloutState, RolloutStates } from '../../policy/rollout/ports.ts';
import { isNamespaceName, parseRecord } from '../../policy/rollout/record.ts';
import { isJson, type Json, textAt } from '../api/json.ts';
import { ConfigMaps, type StoredMap } from './config-map.ts';
import { pieceOf, type HistoryEntry, inPiece, readPiece } from './history.ts';

/** What became of the last order of a namespace. */
export interface TakenOrder {
  readonly id: string;
  /** Of the NamespaceRollout. */
  readonly uid: string;
  /** Who took it, or took it over. */
  readonly taker: string;
  /** How many transitions there were when it was taken. */
  readonly transitions: number;
  /** Undefined: it was taken, and whoever took it has not said yet what became of it. */
  readonly answer: { readonly accepted: boolean; readonly message: string } | undefined;
}

/** Somebody else wrote meanwhile. */
export class RecordChanged extends Error {
  override readonly name = 'RecordChanged';
}

export const RECORD_LABEL = 'gatehouse.dev/rollout-of';
/** What the API server takes, less some room. Objects of policies shrink to a tenth. */
const LARGEST = 900 * 1024;

interface Known {
  readonly map: StoredMap;
  readonly revision: number;
  readonly transitions: number;
}

/**
 * Records of rollouts in ConfigMaps of the control plane's own namespace: `gatehouse-rollout-NAMESPACE`, with the history in pieces beside it. They are not in the status of
 * the NamespaceRollout, where who may write that could make the control plane write policies: that has a copy for people.
 */
export class ClusterRecords implements RolloutStates {
  readonly #maps: ConfigMaps;
  readonly #known = new Map<string, Known>();
  /** As it was read last: replicas that do not decide read it often. */
  readonly #parsedLast = new Map<
    string,
    { readonly text: string; readonly transitions: string | undefined; readonly state: RolloutState }
  >();
  /** The revision that whoever decides knows. */
  readonly #given = new Map<string, number>();
  /** One thing at a time for each namespace: each write is over the version that the one before left. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(client: ApiClient, systemNamespace: string) {
    this.#maps = new ConfigMaps(client, systemNamespace);
  }

  /** With its whole history. @throws Error when it is damaged, or cannot be read */
  load(namespace: string): Promise<RolloutState | undefined> {
    return this.#inTurn(namespace, () => this.#load(namespace));
  }

  /** As `load`, for somebody who decides nothing by it. */
  peek(namespace: string): Promise<RolloutState | undefined> {
    return this.#inTurn(namespace, () => this.#parsed(namespace));
  }

  async #load(namespace: string): Promise<RolloutState | undefined> {
    this.#given.delete(namespace);
    const read = await this.#parsed(namespace);
    this.#given.set(namespace, read?.revision ?? 0);
    return read;
  }

  async #parsed(namespace: string): Promise<RolloutState | undefined> {
    const map = await this.#read(namespace);
    const text = map?.data['record'];
    if (map === undefined || text === undefined) return undefined;
    const before = this.#parsedLast.get(namespace);
    if (before?.text === text && before.transitions === map.data['transitions']) return before.state;
    const record = unpacked(text, map.name);
    const count = Number(map.data['transitions']);
    const history: HistoryEntry[] = [];
    for (let piece = 0; history.length < count; piece += 1) {
      const found = await this.#maps.read(historyName(namespace, piece));
      const entries = found === undefined ? [] : readPiece(found.data, piece, count);
      if (entries.length === 0)
        throw new Error(
          `the ConfigMap ${historyName(namespace, piece)} with the history of the rollout is not there, or damaged`,
        );
      history.push(...entries);
    }
    const read = parseRecord(JSON.stringify({ ...record, history }));
    if (read?.namespace !== namespace) throw damaged(map.name);
    this.#parsedLast.set(namespace, { text, transitions: map.data['transitions'], state: read });
    return read;
  }

  /** @throws RecordChanged when it is not the successor of what is there */
  save(record: RolloutState): Promise<void> {
    return this.#inTurn(record.namespace, () => this.#save(record));
  }

  async #save(record: RolloutState): Promise<void> {
    const { namespace, revision, history } = record;
    const known = this.#known.get(namespace) ?? (await this.#remember(namespace));
    const before = known?.revision ?? 0;
    if (revision !== before + 1)
      throw new RecordChanged(
        `the rollout of ${namespace} was changed elsewhere: revision ${before} is kept, ${revision} was to be`,
      );
    // First the history: an entry that the record does not count is not there.
    await this.#append(namespace, known?.transitions ?? 0, history);
    const { history: _, ...rest } = record;
    const packed = gzipSync(JSON.stringify(rest)).toString('base64');
    if (packed.length > LARGEST)
      throw new Error(
        `the record of the rollout of ${namespace} is larger than a ConfigMap may be (${packed.length} bytes packed)`,
      );
    const data = {
      // What is known of the last order stays.
      ...(known?.map.data['order'] !== undefined && { order: known.map.data['order'] }),
      record: packed,
      stage: record.stage,
      revision: String(revision),
      transitions: String(history.length),
    };
    await this.#write(namespace, data, known?.map);
    this.#given.set(namespace, revision);
  }

  order(namespace: string): Promise<TakenOrder | undefined> {
    return this.#inTurn(namespace, async () => takenOrder((await this.#read(namespace))?.data['order']));
  }

  /** Whether what was loaded or saved here last is still what is kept. */
  async isCurrent(namespace: string): Promise<boolean> {
    const given = this.#given.get(namespace);
    if (given === undefined) return false;
    const map = await this.#inTurn(namespace, () => this.#read(namespace));
    return Number(map?.data['revision'] ?? 0) === given;
  }

  /** How many transitions are kept of it. */
  transitions(namespace: string): number {
    return this.#known.get(namespace)?.transitions ?? 0;
  }

  /** @throws RecordChanged when somebody else was faster */
  keepOrder(namespace: string, order: TakenOrder): Promise<void> {
    return this.#inTurn(namespace, async () => {
      const before = await this.#read(namespace);
      await this.#write(namespace, { ...before?.data, order: JSON.stringify(order) }, before);
    });
  }

  #inTurn<T>(namespace: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(namespace) ?? Promise.resolve()).then(work);
    this.#turns.set(
      namespace,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async #append(namespace: string, kept: number, history: readonly HistoryEntry[]): Promise<void> {
    const pieces = new Set(history.slice(kept).map(({ number }) => pieceOf(number)));
    for (const piece of pieces) {
      const name = historyName(namespace, piece);
      const before = await this.#maps.read(name);
      const written = await this.#maps.write(name, inPiece(history, piece), { [RECORD_LABEL]: namespace }, before);
      if (written === undefined) throw new RecordChanged(`the history of the rollout of ${namespace} was written elsewhere`);
    }
  }

  async #remember(namespace: string): Promise<Known | undefined> {
    await this.#read(namespace);
    return this.#known.get(namespace);
  }

  async #read(namespace: string): Promise<StoredMap | undefined> {
    const map = await this.#maps.read(recordName(namespace));
    if (map === undefined) this.#known.delete(namespace);
    else this.#keep(namespace, map);
    return map;
  }

  async #write(namespace: string, data: Readonly<Record<string, string>>, before: StoredMap | undefined): Promise<void> {
    const written = await this.#maps.write(recordName(namespace), data, { [RECORD_LABEL]: namespace }, before);
    if (written === undefined) {
      this.#known.delete(namespace);
      throw new RecordChanged(`the rollout of ${namespace} was changed elsewhere at the same moment; it is read again`);
    }
    this.#keep(namespace, written);
  }

  #keep(namespace: string, map: StoredMap): void {
    const number = (key: string): number => Number(map.data[key] ?? 0);
    this.#known.set(namespace, { map, revision: number('revision'), transitions: number('transitions') });
  }
}

function recordName(namespace: string): string {
  if (!isNamespaceName(namespace)) throw new Error(`${JSON.stringify(namespace)} is no name of a namespace`);
  return `gatehouse-rollout-${namespace}`;
}

/** No namespace is called so: its names have no dots. */
function historyName(namespace: string, piece: number): string {
  return `gatehouse-rollout-${namespace}.history-${piece}`;
}

function unpacked(text: string, name: string): Json {
  try {
    const value: unknown = JSON.parse(
      gunzipSync(Buffer.from(text, 'base64'), { maxOutputLength: 256 * 1024 * 1024 }).toString('utf8'),
    );
    if (isJson(value)) return value;
  } catch {
    // Said below.
  }
  throw damaged(name);
}

function damaged(name: string): Error {
  return new Error(
    `the ConfigMap ${name} with the record of the rollout is damaged, or of a newer version: restore it; without it the stage is found from the objects`,
  );
}

function takenOrder(text: string | undefined): TakenOrder | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!isJson(value)) return undefined;
    const { id, uid, transitions, answer } = value;
    if (typeof id !== 'string' || typeof uid !== 'string') return undefined;
    const said = isJson(answer)
      ? { accepted: answer['accepted'] === true, message: typeof answer['message'] === 'string' ? answer['message'] : '' }
      : undefined;
    return {
      id,
      uid,
      taker: textAt(value, 'taker'),
      transitions: typeof transitions === 'number' ? transitions : 0,
      answer: said,
    };
  } catch {
    return undefined;
  }
}
