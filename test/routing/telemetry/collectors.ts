import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { listening } from '../envoy/listening.ts';

export interface Span {
  readonly service: string;
  readonly kind: 'client' | 'server';
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

export interface CollectorServer {
  readonly port: number;
  readonly spans: Span[];
  readonly headers: Readonly<Record<string, string | undefined>>[];
  close(): Promise<void>;
}

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags?: Readonly<Record<string, string>>;
}

/** Spans as Zipkin's API v2 takes them (JSON). */
function fromZipkin(body: Buffer): Span[] {
  const spans = JSON.parse(body.toString()) as readonly ZipkinSpan[];
  return spans.map(({ traceId, id, parentId, kind, localEndpoint, tags = {} }) => ({
    service: localEndpoint.serviceName,
    kind: kind === 'CLIENT' ? 'client' : 'server',
    traceId,
    id,
    parentId,
    tags,
  }));
}

type Fields = ReadonlyMap<number, readonly (Buffer | number)[]>;

/** The fields of a protobuf message by number: bytes, and numbers as far as they are exact. */
function fieldsOf(message: Buffer): Fields {
  const fields = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at] ?? 0;
      at += 1;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    const list = fields.get(number) ?? [];
    fields.set(number, list);
    switch (key % 8) {
      case 0:
        list.push(varint());
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        list.push(message.subarray(at, at + length));
        at += length;
        break;
      }
      default:
        at += 4;
    }
  }
  return fields;
}

const messages = (fields: Fields, number: number): readonly Buffer[] =>
  (fields.get(number) ?? []).filter((one) => typeof one !== 'number');
const first = (fields: Fields, number: number): Buffer => messages(fields, number)[0] ?? Buffer.alloc(0);

/** KeyValue {1: key, 2: AnyValue {1: string}} of opentelemetry.proto.common.v1. */
function attributes(list: readonly Buffer[]): Record<string, string> {
  return Object.fromEntries(
    list.map((one) => {
      const fields = fieldsOf(one);
      return [first(fields, 1).toString(), first(fieldsOf(first(fields, 2)), 1).toString()];
    }),
  );
}

/** Spans of an ExportTraceServiceRequest (opentelemetry.proto.collector.trace.v1). */
function fromOtlp(body: Buffer): Span[] {
  return messages(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const resource = fieldsOf(resourceSpans);
    const service = attributes(messages(fieldsOf(first(resource, 1)), 1))['service.name'] ?? '';
    return messages(resource, 2).flatMap((scope) =>
      messages(fieldsOf(scope), 2).map((bytes): Span => {
        const span = fieldsOf(bytes);
        const parent = first(span, 4).toString('hex');
        return {
          service,
          kind: span.get(6)?.[0] === 3 ? 'client' : 'server',
          traceId: first(span, 1).toString('hex'),
          id: first(span, 2).toString('hex'),
          parentId: parent === '' ? undefined : parent,
          tags: attributes(messages(span, 9)),
        };
      }),
    );
  });
}

/** A collector on this machine; `otel-grpc` is OTLP over gRPC, without a library: one message behind five bytes. */
export async function startCollector(kind: 'zipkin' | 'otel-http' | 'otel-grpc'): Promise<CollectorServer> {
  const spans: Span[] = [];
  const headers: Readonly<Record<string, string | undefined>>[] = [];
  const take = (path: string, body: Buffer, custom: unknown) => {
    headers.push({ path, custom: typeof custom === 'string' ? custom : undefined });
    spans.push(...(kind === 'zipkin' ? fromZipkin(body) : fromOtlp(body)));
  };
  /** Nothing is made of what a proxy began to send when it was stopped. */
  const whenWhole = (stream: AsyncIterable<unknown>, then: (body: Buffer) => void): void => {
    const collect = async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
      return Buffer.concat(chunks);
    };
    void collect().then(then, () => undefined);
  };
  const grpc = () => {
    const server = createHttp2Server();
    server.on('stream', (stream, { ':path': path, 'x-team': team }) => {
      whenWhole(stream, (body) => {
        take(String(path), body.subarray(5), team);
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.alloc(5));
      });
    });
    return server;
  };
  const http = (): Server =>
    createServer((request, response) => {
      whenWhole(request, (body) => {
        take(request.url ?? '', body, request.headers['x-team']);
        response.end();
      });
    });
  return { ...(await listening(kind === 'otel-grpc' ? grpc() : http())), spans, headers };
}
