import { request as httpRequest } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect, isIPv6 } from 'node:net';
import type { Prober } from './probers.ts';

/** Where the application is, and from where the agent's calls to it are let through uncaptured. */
export interface ProbeTarget {
  readonly host: string;
  /** Undefined: no capture, so that any address will do. */
  readonly from: string | undefined;
}

/** The pod's address, from the address of the loopback device that capture exempts. */
export function probeTarget(host: string, captured: boolean): ProbeTarget {
  return { host, from: captured ? (isIPv6(host) ? '::6' : '127.0.0.6') : undefined };
}

const LARGEST_BODY = 10 * 1024;

/** An HTTP status for the kubelet: 200 to 399 is healthy. Never rejects. */
export async function probe(prober: Prober, target: ProbeTarget): Promise<number> {
  switch (prober.kind) {
    case 'http':
      return probeHttp(prober, target);
    case 'tcp':
      return (await connects(prober, target)) ? 200 : 500;
    case 'grpc':
      return (await serves(prober, target)) ? 200 : 500;
    default:
      return prober satisfies never;
  }
}

function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

function probeHttp(prober: Extract<Prober, { kind: 'http' }>, { host, from }: ProbeTarget): Promise<number> {
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/gatehouse', accept: '*/*', connection: 'close' };
  for (const { name, value } of prober.headers) headers[name.toLowerCase()] = value;
  const options = {
    host,
    port: prober.port,
    path: prober.path,
    headers: { host: `${urlHost(host)}:${prober.port}`, ...headers },
    timeout: prober.timeoutMs,
    agent: false,
    ...(from === undefined ? {} : { localAddress: from }),
  } as const;
  return new Promise((resolve) => {
    const done = (code: number): void => {
      clearTimeout(timer);
      resolve(code);
      call.destroy();
    };
    const timer = setTimeout(() => done(504), prober.timeoutMs);
    // As the kubelet: the certificate of an application's own port is nobody's business.
    const call = prober.tls ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    call.on('response', (response) => {
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LARGEST_BODY) done(response.statusCode ?? 500);
      });
      response.on('end', () => done(response.statusCode ?? 500));
      response.on('error', () => done(500));
    });
    call.on('error', () => done(500));
    call.end();
  });
}

function connects({ port, timeoutMs }: Prober, { host, from }: ProbeTarget): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) });
    const done = (ok: boolean): void => {
      socket.destroy();
      resolve(ok);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
  });
}

/** `grpc.health.v1.HealthCheckRequest` (the service's name in field 1) as a gRPC message. */
function healthRequest(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 0x3fff);
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** `grpc.health.v1.HealthCheckResponse` as a gRPC message: field 1 is the status, and 1 stands for SERVING. */
function isServing(answer: Buffer): boolean {
  return answer.length >= 7 && answer[0] === 0 && answer[5] === 0x08 && answer[6] === 1;
}

/** gRPC's health protocol, without TLS, as the kubelet speaks it; over bare HTTP/2, since the way must begin at a chosen address. */
function serves(prober: Extract<Prober, { kind: 'grpc' }>, { host, from }: ProbeTarget): Promise<boolean> {
  const { port, service, timeoutMs } = prober;
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) });
    const session = http2Connect(`http://${urlHost(host)}:${port}`, { createConnection: () => socket });
    const done = (ok: boolean): void => {
      clearTimeout(timer);
      session.destroy();
      socket.destroy();
      resolve(ok);
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    socket.on('error', () => done(false));
    session.on('error', () => done(false));
    const call = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let answer = Buffer.alloc(0);
    call.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length > LARGEST_BODY) done(false);
    });
    call.on('error', () => done(false));
    call.on('end', () => done(isServing(answer)));
    call.end(healthRequest(service));
  });
}
