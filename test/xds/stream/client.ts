import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, type status } from '@grpc/grpc-js';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { eventually } from '../../eventually.ts';
import { NODE } from './server.ts';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const same = (bytes: Buffer): Buffer => bytes;

export interface Ended {
  readonly code: status;
  readonly details: string;
}

/** One gRPC stream to a discovery service; what came is queued until it is asked for. */
class RawStream<Response> {
  readonly #client: Client;
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly responses: Response[] = [];
  ended: Ended | undefined;

  constructor(address: string, method: string, decode: (bytes: Buffer) => Response) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.call = this.#client.makeBidiStreamRequest(`${SERVICE}/${method}`, same, same);
    this.call.on('data', (bytes: Buffer) => this.responses.push(decode(bytes)));
    this.call.on('error', () => undefined);
    this.call.on('status', ({ code, details }) => (this.ended = { code, details }));
  }

  next(): Promise<Response> {
    return eventually('a response', () => {
      if (this.ended !== undefined) throw new Error(`ended: ${this.ended.code} ${this.ended.details}`);
      return this.responses.shift();
    });
  }

  end(): Promise<Ended> {
    return eventually('the end of the stream', () => this.ended);
  }

  close(): void {
    this.call.cancel();
    this.#client.close();
  }
}

export class DeltaClient extends RawStream<DeltaDiscoveryResponse> {
  constructor(address: string) {
    super(address, 'DeltaAggregatedResources', (bytes) => fromBinary(DeltaDiscoveryResponseSchema, bytes));
  }

  send(request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    this.call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request))));
  }

  ask(typeUrl: string, names: readonly string[] = [], node = NODE): void {
    this.send({ node: { id: node }, typeUrl, resourceNamesSubscribe: [...names] });
  }

  answer({ typeUrl, nonce: responseNonce }: DeltaDiscoveryResponse, error?: string): void {
    this.send({ typeUrl, responseNonce, ...(error !== undefined && { errorDetail: { code: 13, message: error } }) });
  }
}

export class SotwClient extends RawStream<DiscoveryResponse> {
  constructor(address: string) {
    super(address, 'StreamAggregatedResources', (bytes) => fromBinary(DiscoveryResponseSchema, bytes));
  }

  send(request: MessageInitShape<typeof DiscoveryRequestSchema>): void {
    this.call.write(Buffer.from(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request))));
  }

  ask(typeUrl: string, names: readonly string[] = [], node = NODE): void {
    this.send({ node: { id: node }, typeUrl, resourceNames: [...names] });
  }

  answer({ typeUrl, nonce: responseNonce, versionInfo }: DiscoveryResponse, names: readonly string[] = [], error?: string): void {
    this.send({
      typeUrl,
      responseNonce,
      resourceNames: [...names],
      ...(error === undefined ? { versionInfo } : { errorDetail: { code: 13, message: error } }),
    });
  }
}
