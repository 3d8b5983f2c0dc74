import { once } from 'node:events';
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The upstream that answered; undefined when the proxy itself did. */
  readonly server: string | undefined;
  /** What the upstream saw. */
  readonly path: string | undefined;
  readonly seen: IncomingHttpHeaders;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Over TLS, with a server under this authority that is known by `servername`. */
  readonly tls?: { readonly ca: string; readonly servername: string };
}

interface Told {
  readonly server?: string;
  readonly path?: string;
  readonly headers?: IncomingHttpHeaders;
}

function told(body: string): Told {
  try {
    return JSON.parse(body) as Told;
  } catch {
    return {};
  }
}

/** Sends one request, its path as it stands, to `address:port`, with the Host `host`. */
export async function call(
  agent: Agent | undefined,
  address: string,
  port: number,
  host: string,
  path: string,
  { method = 'GET', headers = {}, tls }: Call = {},
): Promise<Answer> {
  const options = {
    host: address,
    port,
    path,
    method,
    headers: { ...headers, host },
    ...(agent === undefined ? { agent: false as const } : { agent }),
  };
  const outgoing = tls === undefined ? request(options) : secureRequest({ ...options, ...tls, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk as Uint8Array));
  const body = Buffer.concat(chunks).toString();
  const { server, path: seenPath, headers: seen = {} } = told(body);
  return { status: response.statusCode ?? 0, headers: response.headers, body, server, path: seenPath, seen };
}
