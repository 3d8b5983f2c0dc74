// A proxy as the control plane sees it: one delta ADS stream over mutual TLS, on which everything is acknowledged at once.
import { createSecureContext } from 'node:tls';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { CLUSTER, EXTENSION_CONFIG, LISTENER, SECRET } from '../../xds/resource-set.ts';
import type { Certificate } from './world.ts';

const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const same = (bytes: Buffer): Buffer => bytes;

export class Proxy {
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #seen = new Map<string, { readonly at: number; readonly bytes: Buffer }>();
  #waiting: (() => void)[] = [];

  constructor(target: string, rootsPem: string, node: string, own: Certificate) {
    const context = createSecureContext({ ca: rootsPem, ...own });
    this.#client = new Client(target, credentials.createFromSecureContext(context), {
      'grpc.ssl_target_name_override': 'gatehouse',
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
    });
    this.#call = this.#client.makeBidiStreamRequest(PATH, same, same);
    this.#call.on('error', () => undefined);
    this.#call.on('data', (bytes: Buffer) => this.#take(bytes));
    const first = { node: { id: node } };
    for (const [typeUrl, names] of [
      [CLUSTER, []],
      [SECRET, ['ROOTCA']],
      [EXTENSION_CONFIG, ['envoy.filters.http.rbac.deny', 'envoy.filters.http.rbac.allow']],
      [LISTENER, []],
    ] as const)
      this.#send({ ...first, typeUrl, resourceNamesSubscribe: [...names] });
  }

  #send(request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    this.#call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request))));
  }

  #take(bytes: Buffer): void {
    const at = performance.now();
    const { typeUrl, nonce } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    this.#send({ typeUrl, responseNonce: nonce });
    // The filter without rules says no name; each part of the two that matter comes whole.
    if (typeUrl === SECRET) this.#seen.set('lists', { at, bytes });
    if (typeUrl === EXTENSION_CONFIG && bytes.includes('envoy.filters.http.rbac.deny')) this.#seen.set('denial', { at, bytes });
    for (const look of this.#waiting.splice(0)) look();
  }

  /** When what was last told of a kind first had, or had no more, these words. */
  async when(kind: 'denial' | 'lists', words: string, there = true): Promise<number> {
    for (;;) {
      const seen = this.#seen.get(kind);
      if (seen !== undefined && seen.bytes.includes(words) === there) return seen.at;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }
}
