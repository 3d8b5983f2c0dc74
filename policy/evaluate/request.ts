import type { Labels } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';

/** A verified JSON web token. An invalid one never gets as far as policy. */
export interface Token {
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  readonly audiences: readonly string[];
  readonly presenter: string | undefined;
  /** Further claims by name; values as in JSON. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What of a request only HTTP has. Undefined members are absent from the request. */
export interface HttpPart {
  readonly method: string | undefined;
  readonly host: string | undefined;
  /** As sent, with its query. */
  readonly path: string | undefined;
  /** Names in lower case; one value for each header line. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/** One question: may this caller do this there? Undefined members are absent, never anything. */
export interface Request {
  readonly source: {
    /** With its scheme; undefined: the call comes in plain text. */
    readonly principal: string | undefined;
    /** The other end of the TCP connection. */
    readonly ip: string | undefined;
    /** As trusted proxies tell it (X-Forwarded-For); the peer's own address when there is none. */
    readonly remoteIp: string | undefined;
  };
  readonly destination: {
    readonly namespace: string;
    readonly labels: Labels;
    readonly ip: string | undefined;
    /** The workload's own port. */
    readonly port: Port | undefined;
    readonly protocol: 'HTTP' | 'GRPC' | 'TCP';
    readonly sni: string | undefined;
  };
  readonly http: HttpPart;
  readonly token: Token | undefined;
  /** What each provider of CUSTOM policies would answer, by its name; absent: not known. */
  readonly extAuthz?: ReadonlyMap<string, 'allow' | 'deny'>;
}
