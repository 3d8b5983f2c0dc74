import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { create, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';
import type { Issued } from '../../../audit/envoy/certificates.ts';
import type { Probe } from './probes.ts';
import type { Unit } from './units.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';
const CLAIMS = 'x-claims';
const METADATA = 'x-metadata';
const ANSWERS = 'x-answers-';
/** Envoy takes header values of up to 16,384 bytes in its configuration. */
const ANSWERS_IN_A_HEADER = 128;

function shadow({ form, value }: Unit, prefix: string): object {
  const rules = form === 'rules' ? { shadowRules: value } : { shadowMatcher: value };
  return {
    name: prefix,
    typedConfig: { '@type': `${TYPE}.filters.http.rbac.v3.RBAC`, ...rules, shadowRulesStatPrefix: prefix },
  };
}

/** Writes what a request says in two headers where filters would have written it: the claims of a token, and other metadata. */
function claimsFromHeaders(): object {
  const rule = (header: string, namespace: string, key: string, encoded: boolean) => ({
    header,
    on_header_present: {
      metadata_namespace: namespace,
      key,
      type: encoded ? 'PROTOBUF_VALUE' : 'STRING',
      ...(encoded ? { encode: 'BASE64' } : {}),
    },
    remove: true,
  });
  return {
    name: 'claims',
    typed_config: {
      '@type': `${TYPE}.filters.http.header_to_metadata.v3.Config`,
      request_rules: [
        rule(CLAIMS, 'envoy.filters.http.jwt_authn', 'payload', true),
        rule(METADATA, 'envoy.filters.a.b', 'c', false),
      ],
    },
  };
}

/** A server that answers with what each unit says of a request. */
export function bootstrap(
  units: readonly Unit[],
  before: readonly object[],
  ports: readonly number[],
  server: Issued,
  root: string,
): object {
  const answers = units.map((_, index) => `%DYNAMIC_METADATA(envoy.filters.http.rbac:u${index}_shadow_engine_result)%`);
  const headers = Array.from({ length: Math.ceil(answers.length / ANSWERS_IN_A_HEADER) }, (_, at) => ({
    key: `${ANSWERS}${at}`,
    value: answers.slice(at * ANSWERS_IN_A_HEADER, (at + 1) * ANSWERS_IN_A_HEADER).join(','),
  }));
  const manager = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'in',
      http_filters: [
        ...before,
        claimsFromHeaders(),
        ...units.map((unit, index) => shadow(unit, `u${index}_`)),
        { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
      ],
      route_config: {
        response_headers_to_add: headers.map((header) => ({ header, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' })),
        virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, direct_response: { status: 200 } }] }],
      },
    },
  };
  const tls = {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_certificates: [{ certificate_chain: { inline_string: server.cert }, private_key: { inline_string: server.key } }],
        validation_context: { trusted_ca: { inline_string: root } },
      },
    },
  };
  const address = (port: number) => ({ socket_address: { address: '0.0.0.0', port_value: port } });
  const [first = 0, ...others] = ports;
  return {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    layered_runtime: { layers: [{ name: 'static', static_layer: { 're2.max_program_size.error_level': 32768 } }] },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(first),
          additional_addresses: others.map((port) => ({ address: address(port) })),
          listener_filters: [
            { name: 'tls_inspector', typed_config: { '@type': `${TYPE}.filters.listener.tls_inspector.v3.TlsInspector` } },
          ],
          filter_chains: [
            { filter_chain_match: { transport_protocol: 'tls' }, transport_socket: tls, filters: [manager] },
            { filter_chain_match: { transport_protocol: 'raw_buffer' }, filters: [manager] },
          ],
        },
      ],
    },
  };
}

function encoded(claims: Probe['claims']): string {
  const value = create(ValueSchema, { kind: { case: 'structValue', value: fromJson(StructSchema, claims as JsonValue) } });
  return Buffer.from(toBinary(ValueSchema, value)).toString('base64');
}

function linesOf({ header }: Probe): Record<string, string[]> {
  const grouped = Map.groupBy(header, ([name]) => name);
  return Object.fromEntries([...grouped].map(([name, lines]) => [name, lines.map(([, value]) => value)]));
}

/** Sends probes, each on a connection that suits it. */
export class Prober {
  readonly #certificate: (peer: string) => Promise<Issued>;
  readonly #sessions = new Map<string, ClientHttp2Session>();

  constructor(certificate: (peer: string) => Promise<Issued>) {
    this.#certificate = certificate;
  }

  async #session({ peer, from, to, port, sni }: Probe): Promise<ClientHttp2Session> {
    const key = JSON.stringify([peer, from, to, port, sni]);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const plain = connect({ host: to, port, localAddress: from });
    let socket: Socket = plain;
    if (peer === undefined) await once(plain, 'connect');
    else {
      const { cert, key: ownKey } = await this.#certificate(peer);
      const named = sni === undefined ? {} : { servername: sni };
      socket = connectTls({ socket: plain, cert, key: ownKey, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...named });
      await once(socket, 'secureConnect');
    }
    const session = connectHttp2('http://app.test', { createConnection: () => socket });
    this.#sessions.set(key, session);
    // A proxy that ends takes its sessions with it; a probe under way fails by its own stream.
    session.on('error', () => this.#sessions.delete(key));
    return session;
  }

  /** What each unit says; undefined when Envoy does not take such a request. */
  async answers(probe: Probe): Promise<readonly string[] | undefined> {
    const session = await this.#session(probe);
    const stream = session.request({
      ...linesOf(probe),
      ':method': probe.method,
      ':path': probe.path,
      ':authority': probe.host,
      ...(probe.forwardedFor === undefined ? {} : { 'x-forwarded-for': probe.forwardedFor }),
      ...(probe.claims === undefined ? {} : { [CLAIMS]: encoded(probe.claims) }),
      ...(probe.metadata === undefined ? {} : { [METADATA]: probe.metadata }),
    });
    stream.end();
    stream.resume();
    try {
      const [headers] = (await once(stream, 'response')) as [Readonly<Record<string, unknown>>];
      if (headers[':status'] !== 200) return undefined;
      const found: string[] = [];
      for (let at = 0; headers[`${ANSWERS}${at}`] !== undefined; at += 1)
        found.push(...String(headers[`${ANSWERS}${at}`]).split(','));
      return found;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ERR_HTTP2_STREAM_ERROR') return undefined;
      throw error;
    }
  }

  close(): void {
    for (const session of this.#sessions.values()) session.destroy();
  }
}
