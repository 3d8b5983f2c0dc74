import assert from 'node:assert/strict';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { RequestMethod } from '#gen/envoy/config/core/v3/base_pb.js';
import { AccessLogType, HTTPAccessLogEntry_HTTPVersion as HttpVersion } from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { countsAsEdge } from '../../audit/intake/counts-as-edge.ts';
import { decodeHttp, decodeTcp, decodeTcpBeginning } from '../../audit/intake/decode.ts';
import type { AccessRecord, Side } from '../../audit/model/record.ts';
import { record } from './edges.ts';
import { address, http, type HttpInit, peer, SENT, tcp } from './entries.ts';
import { APP, directory, EDGE, NOW, reporter, WEB } from './world.ts';

function decodeAll(side: Side, init: HttpInit = {}): readonly AccessRecord[] {
  return decodeHttp(http(init), reporter(side), directory, NOW);
}

function only(records: readonly AccessRecord[]): AccessRecord {
  const [record] = records;
  assert.equal(records.length, 1);
  assert.ok(record);
  return record;
}

const inbound = (init: HttpInit = {}): AccessRecord => only(decodeAll('inbound', init));
const outbound = (init: HttpInit = {}): AccessRecord => only(decodeAll('outbound', init));
const rbac = (fields: Record<string, string>): HttpInit => ({
  common: { tlsProperties: peer(WEB), metadata: { filterMetadata: { 'envoy.filters.http.rbac': fields } } },
});
const denied = (name: string): HttpInit => ({
  code: 403,
  details: `rbac_access_denied_matched_policy[${name}]`,
  common: { tlsProperties: peer(WEB) },
});

describe('audit: decoding of log entries', () => {
  it('tells a whole inbound call', () => {
    assert.deepEqual(
      inbound({ common: { tlsProperties: peer(WEB) } }),
      record({
        durationUs: 1892,
        bytesReceived: 111,
        bytesSent: 222,
        verdict: { kind: 'allowed-unnamed', policies: ['istio-system/all', 'shop/web'] },
      }),
    );
  });

  describe('the caller', () => {
    it('without a certificate is an address, in plain text, even when configuration knows the address', () => {
      const { source, mtls } = inbound();
      assert.deepEqual([source, mtls], [{ principal: undefined, workload: 'shop/web', address: '10.0.0.2' }, false]);
    });
    it('with an identity that its address does not have is known by the identity alone', () => {
      const { source } = inbound({ common: { tlsProperties: peer(EDGE) } });
      assert.deepEqual([source.principal, source.workload], [EDGE, 'edge/gateway']);
    });
    it('is nobody with two URI SANs (X509-SVID allows one), with none, or with one that is no SPIFFE ID', () => {
      for (const tlsProperties of [peer(WEB, APP), peer(), peer('https://example.com/web'), peer('spiffe://test.mesh/a//b')]) {
        const { source, mtls } = inbound({ common: { tlsProperties } });
        assert.deepEqual([source.principal, source.address, mtls], [undefined, '10.0.0.2', true]);
      }
    });
    it('has the address of the connection, not of X-Forwarded-For', () => {
      assert.equal(inbound({ common: { downstreamRemoteAddress: address('6.6.6.6', 1) } }).source.address, '10.0.0.2');
    });
    it('has an IPv4 address also when the socket is IPv6', () => {
      const { source } = inbound({ common: { downstreamDirectRemoteAddress: address('::ffff:10.0.0.9', 1) } });
      assert.deepEqual([source.address, source.workload], ['10.0.0.9', 'old/legacy']);
    });
  });

  describe('the decision', () => {
    const cases: readonly (readonly [string, HttpInit, AccessRecord['verdict']])[] = [
      [
        'names the DENY rule',
        denied('ns[shop]-policy[no-admin]-rule[0]'),
        { kind: 'denied-by-rule', by: { policy: 'shop/no-admin', rule: 0 } },
      ],
      [
        'names the ALLOW policies that apply when none matched',
        denied('none'),
        { kind: 'denied-no-rule', policies: ['istio-system/all', 'shop/web'] },
      ],
      [
        'keeps a name it cannot read',
        denied('merged-7'),
        { kind: 'denied-by-rule', by: { policy: 'merged-7', rule: undefined } },
      ],
      ['is a token', { details: 'jwt_authn_access_denied{Jwt_is_expired}', code: 401 }, { kind: 'denied-token' }],
      [
        'is a rate limit, which says nothing about policies',
        { details: 'local_rate_limited', code: 429 },
        { kind: 'unreached', cause: 'local_rate_limited' },
      ],
      ['is an external authorizer', { details: 'ext_authz_denied', code: 403 }, { kind: 'denied-custom' }],
      [
        'names the ALLOW rule',
        rbac({ enforced_engine_result: 'allowed', enforced_effective_policy_id: 'ns[a.b]-policy[c.d-e]-rule[12]' }),
        { kind: 'allowed-by-rule', by: { policy: 'a.b/c.d-e', rule: 12 } },
      ],
      [
        'names the ALLOW rule among several filters',
        rbac({
          istio_deny_enforced_effective_policy_id: 'ns[x]-policy[deny]-rule[0]',
          istio_audit_enforced_effective_policy_id: 'ns[x]-policy[audit]-rule[0]',
          istio_dry_run_allow_shadow_effective_policy_id: 'ns[x]-policy[dry]-rule[0]',
          istio_enforced_effective_policy_id: 'ns[x]-policy[yes]-rule[3]',
        }),
        { kind: 'allowed-by-rule', by: { policy: 'x/yes', rule: 3 } },
      ],
      [
        'takes no fallback of a matcher for a rule',
        rbac({ enforced_effective_policy_id: 'default' }),
        { kind: 'allowed-unnamed', policies: ['istio-system/all', 'shop/web'] },
      ],
      [
        'does not take the application saying 403 for a denial',
        { code: 403 },
        { kind: 'allowed-unnamed', policies: ['istio-system/all', 'shop/web'] },
      ],
    ];
    for (const [title, init, verdict] of cases) it(title, () => assert.deepEqual(inbound(init).verdict, verdict));

    it('is not one of the application, nor of a policy, when the request could not be read', () => {
      assert.deepEqual(inbound({ code: 400, details: 'http1.codec_error' }).verdict, {
        kind: 'unreached',
        cause: 'http1.codec_error',
      });
    });

    it('says that no policy applies', () => {
      const [arrival] = decodeAll('gateway');
      assert.deepEqual(arrival?.verdict, { kind: 'allowed-no-policy' });
    });
  });

  describe('an outbound call', () => {
    const sent: HttpInit = {
      common: {
        upstreamCluster: 'outbound|9080|v1|app.shop.svc.cluster.local',
        upstreamRemoteAddress: address('10.0.0.1', 8080),
        timeToFirstUpstreamTxByte: SENT,
      },
    };
    it('that reached a proxy does not count: that proxy tells', () => {
      const record = outbound(sent);
      assert.deepEqual([record.reached, record.destinationMeshed, countsAsEdge(record)], [true, true, false]);
      assert.deepEqual([record.source.principal, record.service, record.port], [WEB, 'app.shop.svc.cluster.local', 8080]);
    });
    it('that timed out at its destination does not count either', () => {
      assert.equal(countsAsEdge(outbound({ ...sent, code: 504, details: 'upstream_response_timeout' })), false);
    });
    it('counts when the destination has no proxy', () => {
      const record = outbound({ common: { ...sent.common, upstreamRemoteAddress: address('10.0.0.9', 8080) } });
      assert.deepEqual(
        [countsAsEdge(record), record.mtls, record.verdict.kind, record.destination.workload],
        [true, false, 'allowed-no-policy', 'old/legacy'],
      );
    });
    const unreached: readonly (readonly [string, string, HttpInit])[] = [
      ['an injected fault', 'fault_filter_abort', { details: 'fault_filter_abort', code: 555 }],
      ['no healthy upstream', 'no_healthy_upstream', { details: 'no_healthy_upstream', code: 503 }],
      ['no route', 'route_not_found', { details: 'route_not_found', code: 404 }],
      [
        'a refused connection',
        'upstream_reset_before_response_started',
        {
          details: 'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
          common: { upstreamRemoteAddress: address('10.0.0.1', 8080), responseFlags: { upstreamConnectionFailure: true } },
        },
      ],
    ];
    for (const [title, cause, init] of unreached) {
      it(`counts when it never arrived: ${title}`, () => {
        const record = outbound(init);
        assert.deepEqual([countsAsEdge(record), record.verdict], [true, { kind: 'unreached', cause }]);
        assert.deepEqual([record.service, record.port], ['app.shop.svc.cluster.local', 9080]);
      });
    }
    it('to a host nobody knows is told by that host, if it is one', () => {
      const told = (authority: string): string | undefined => outbound({ details: 'route_not_found', authority }).service;
      assert.deepEqual(['Example.COM:443', 'a b', '<script>', ''].map(told), ['example.com', undefined, undefined, undefined]);
    });
  });

  describe('the status of gRPC', () => {
    const statusOf = (trailers: Record<string, string>, type = 'application/grpc+proto') => {
      const [record] = decodeAll('inbound', { headers: { 'content-type': type }, trailers });
      assert.ok(record);
      return record.grpcStatus;
    };
    it('is in the trailers', () => assert.equal(statusOf({ 'grpc-status': '14' }), 14));
    it('is none of those that a server makes up', () =>
      assert.deepEqual(
        ['17', '007', '-1', 'x', ''].map((text) => statusOf({ 'grpc-status': text })),
        [undefined, undefined, undefined, undefined, undefined],
      ));
    it('is not looked for in other requests', () => assert.equal(statusOf({ 'grpc-status': '14' }, 'text/plain'), undefined));
  });

  describe('a gateway', () => {
    it('tells of the client, by address, and of the next hop, which its proxy tells better', () => {
      const [arrival, departure, ...rest] = decodeAll('gateway', {
        common: {
          downstreamDirectRemoteAddress: address('203.0.113.7', 5),
          upstreamRemoteAddress: address('10.0.0.1', 8080),
          upstreamCluster: 'outbound|9080||app.shop.svc.cluster.local',
        },
      });
      assert.ok(arrival && departure);
      assert.equal(rest.length, 0);
      assert.deepEqual([arrival.onward, departure.onward], [true, undefined]);
      assert.deepEqual(
        [arrival.source, arrival.destination.principal, arrival.mtls, countsAsEdge(arrival)],
        [{ principal: undefined, workload: undefined, address: '203.0.113.7' }, EDGE, false, true],
      );
      assert.deepEqual(
        [departure.source.principal, departure.service, countsAsEdge(departure)],
        [EDGE, 'app.shop.svc.cluster.local', false],
      );
    });
    it('that found no upstream is the source of a call that never arrived', () => {
      const [, departure] = decodeAll('gateway', { details: 'no_healthy_upstream', code: 503 });
      assert.ok(departure);
      assert.deepEqual(
        [departure.source.principal, departure.service, countsAsEdge(departure)],
        [EDGE, 'app.shop.svc.cluster.local', true],
      );
    });
    it('does not tell of host names that clients invent, nor of a hop that it denied', () => {
      assert.deepEqual(
        decodeAll('gateway', { details: 'route_not_found', authority: 'invented.example' }).map(({ hop }) => hop),
        ['in'],
      );
      assert.deepEqual(
        decodeAll('gateway', denied('none')).map(({ hop, verdict }) => [hop, verdict.kind]),
        [['in', 'denied-no-rule']],
      );
    });
  });

  it('tells the path before a gateway rewrote it; into a workload nothing is rewritten, and the caller may not say otherwise', () => {
    const forged = { path: '/scores/7', originalPath: '/healthz' };
    assert.equal(inbound(forged).path, '/scores/7');
    assert.equal(decodeAll('gateway', forged)[0]?.path, '/healthz');
  });

  it('knows protocols and methods, and bounds methods', () => {
    const protocols = [HttpVersion.HTTP10, HttpVersion.HTTP11, HttpVersion.HTTP2, HttpVersion.HTTP3].map(
      (version) => inbound({ version }).protocol,
    );
    assert.deepEqual(protocols, ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/3']);
    const grpc = inbound({
      version: HttpVersion.HTTP2,
      path: '/shop.v1.Cart/Get12345678',
      headers: { 'content-type': 'application/grpc+proto' },
    });
    assert.deepEqual([grpc.protocol, grpc.template], ['GRPC', '/shop.v1.Cart/Get12345678']);
    assert.equal(inbound({ method: RequestMethod.METHOD_UNSPECIFIED }).method, 'OTHER');
    assert.equal(inbound({ method: RequestMethod.DELETE }).method, 'DELETE');
  });

  it("bounds a proxy's clock", () => {
    const at = (iso: string): number => inbound({ common: { startTime: timestampFromDate(new Date(iso)) } }).time;
    assert.equal(at('2026-03-01T11:00:00Z'), Date.parse('2026-03-01T11:00:00Z'));
    for (const wild of ['1970-01-01T00:00:00Z', '2026-03-01T13:00:00Z', '9999-01-01T00:00:00Z'])
      assert.equal(at(wild), NOW.getTime());
  });

  it('leaves intermediate entries out', () => {
    assert.deepEqual(decodeAll('inbound', { common: { intermediateLogEntry: true } }), []);
    for (const accessLogType of [AccessLogType.DownstreamStart, AccessLogType.TcpPeriodic, AccessLogType.TcpUpstreamConnected]) {
      assert.deepEqual(decodeTcp(tcp({ accessLogType }), reporter('inbound'), directory, NOW), []);
    }
  });

  it('survives entries with nothing in them', () => {
    const empty = http();
    delete empty.commonProperties;
    delete empty.request;
    delete empty.response;
    const [record] = decodeHttp(empty, reporter('inbound'), directory, NOW);
    assert.deepEqual(
      [record?.status, record?.path, record?.source],
      [0, '', { principal: undefined, workload: undefined, address: undefined }],
    );
  });

  it('tells of the beginning of a connection apart, and at its end that it was told', () => {
    const upstream = { upstreamRemoteAddress: address('10.0.0.1', 9000), customTags: { announced: '1' } };
    const begun = { ...upstream, accessLogType: AccessLogType.TcpUpstreamConnected };
    const [beginning, ...others] = decodeTcpBeginning(tcp(begun), reporter('inbound'), directory, NOW);
    assert.deepEqual([beginning?.protocol, beginning?.hop, others], ['TCP', 'in', []]);
    const ended = { ...upstream, accessLogType: AccessLogType.TcpConnectionEnd };
    assert.deepEqual(decodeTcpBeginning(tcp(ended), reporter('inbound'), directory, NOW), []);
    const announced = (common: Parameters<typeof tcp>[0]) =>
      decodeTcp(tcp(common), reporter('inbound'), directory, NOW).map((record) => record.announced);
    assert.deepEqual(announced(ended), [true]);
    // It never got there, or the proxy has the configuration of before.
    assert.deepEqual(announced({ ...ended, responseFlags: { upstreamConnectionFailure: true } }), [undefined]);
    assert.deepEqual(announced({ ...ended, customTags: {} }), [undefined]);
  });

  describe('TCP', () => {
    const decode = (side: Side, common: Parameters<typeof tcp>[0]): AccessRecord =>
      only(decodeTcp(tcp(common), reporter(side), directory, NOW));
    it('tells of a connection', () => {
      const record = decode('inbound', { tlsProperties: peer(WEB), accessLogType: AccessLogType.TcpConnectionEnd });
      assert.deepEqual(
        [
          record.protocol,
          record.method,
          record.template,
          record.status,
          record.bytesReceived,
          record.bytesSent,
          record.source.principal,
        ],
        ['TCP', '', '', 0, 46, 96, WEB],
      );
    });
    it('is denied by the network filter, though the upstream was connected already', () => {
      const record = decode('inbound', {
        connectionTerminationDetails: 'rbac_access_denied_matched_policy[none]',
        upstreamRemoteAddress: address('127.0.0.1', 1),
      });
      assert.deepEqual(record.verdict, { kind: 'denied-no-rule', policies: ['istio-system/all', 'shop/web'] });
    });
    it('is refused by the listener: plain text where only mutual TLS is served', () => {
      assert.deepEqual(decode('inbound', { responseFlags: { noRouteFound: true } }).verdict, { kind: 'denied-transport' });
    });
    it('is refused in the handshake, and not where plain text is let in: of both the log says that TLS failed', () => {
      const entry = (bytes: bigint) =>
        tcp(
          { downstreamTransportFailureReason: 'TLS_error|error:1000009c:SSL', upstreamRemoteAddress: address('127.0.0.1', 1) },
          { receivedBytes: bytes, sentBytes: bytes },
        );
      const verdict = (bytes: bigint) => only(decodeTcp(entry(bytes), reporter('inbound'), directory, NOW)).verdict.kind;
      assert.deepEqual([verdict(0n), verdict(51n)], ['denied-transport', 'allowed-unnamed']);
    });
    it('outbound counts when the connection failed', () => {
      const record = decode('outbound', {
        responseFlags: { upstreamConnectionFailure: true },
        upstreamRemoteAddress: address('10.0.0.1', 3306),
        upstreamCluster: 'outbound|3306||db.shop.svc.cluster.local',
      });
      assert.deepEqual(
        [countsAsEdge(record), record.verdict, record.service, record.port],
        [true, { kind: 'unreached', cause: 'upstream_connection_failure' }, 'db.shop.svc.cluster.local', 3306],
      );
    });
  });
});
