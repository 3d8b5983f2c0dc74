import assert from 'node:assert/strict';
import { judge, type Judgement } from '../../../mesh/gateway-api/status/judge.ts';
import type { Condition } from '../../../mesh/gateway-api/status/condition.ts';
import type { SecretState } from '../../../mesh/gateway-api/status/listeners.ts';
import { snapshotOf } from '../../routing/compiled.ts';

const GROUP = 'gateway.networking.k8s.io';
const object = (kind: string, namespace: string, name: string, spec: string, version = 'v1') => `
---
apiVersion: ${GROUP}/${version}
kind: ${kind}
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
const gateway = (listeners: string, more = '', className = 'gatehouse') =>
  object('Gateway', 'edge', 'edge', `{gatewayClassName: ${className}, ${more} listeners: [${listeners}]}`);
const route = (spec: string, namespace = 'edge', kind = 'HTTPRoute') => object(kind, namespace, 'web', spec);
const WEB = `
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: edge}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
`;
const POD = `
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: edge, labels: {${GROUP}/gateway-name: edge}}
spec: {containers: [{name: proxy}]}
status: {podIP: 10.0.0.1, phase: Running}
`;
const HTTP = '{name: http, port: 80, protocol: HTTP}';

const judged = (yaml: string, secret: SecretState = 'unknown') => judge(snapshotOf(yaml), () => secret);

const said = (conditions: readonly Condition[]) =>
  Object.fromEntries(
    conditions.map(({ type, status, reason }) => [type, status === 'True' && reason === type ? true : `${status} ${reason}`]),
  );

function statusOf(found: Judgement, kind: string, name: string) {
  const one = found.statuses.find((each) => each.kind === kind && each.meta.name === name);
  assert.ok(one !== undefined, `no status of ${kind} ${name}`);
  return one.status;
}

function conditionsOf(found: Judgement, kind: string, name: string) {
  const status = statusOf(found, kind, name);
  assert.ok('conditions' in status);
  return said(status.conditions);
}

function gatewayIn(found: Judgement) {
  const status = statusOf(found, 'KubernetesGateway', 'edge');
  assert.ok('addresses' in status);
  return {
    own: said(status.conditions),
    addresses: status.addresses,
    listeners: Object.fromEntries(
      status.listeners.map(({ name, attachedRoutes, supportedKinds, conditions }) => [
        name,
        { attachedRoutes, kinds: supportedKinds.map(({ kind }) => kind), is: said(conditions) },
      ]),
    ),
  };
}

function parentsIn(found: Judgement, kind = 'HTTPRoute') {
  const status = statusOf(found, kind, 'web');
  assert.ok('parents' in status);
  return status.parents.map(({ conditions }) => said(conditions));
}

const GOOD = { Accepted: true, ResolvedRefs: true };
const TO_WEB = 'rules: [{backendRefs: [{name: web, port: 80}]}]';

describe('status of Gateway API objects', () => {
  it('a Gateway that is served', () => {
    const found = gatewayIn(judged(gateway(HTTP) + POD + WEB + route(`{parentRefs: [{name: edge}], ${TO_WEB}}`)));
    assert.deepEqual(found, {
      own: { Accepted: true, Programmed: true },
      addresses: [{ type: 'IPAddress', value: '10.0.0.1' }],
      listeners: {
        http: {
          attachedRoutes: 1,
          kinds: ['HTTPRoute', 'GRPCRoute'],
          is: { Accepted: true, Conflicted: 'False NoConflicts', ResolvedRefs: true, Programmed: true },
        },
      },
    });
  });

  it('is reached by the Service that leads to its pods', () => {
    const service = `
---
apiVersion: v1
kind: Service
metadata: {name: entry, namespace: edge}
spec: {selector: {${GROUP}/gateway-name: edge}, ports: [{name: http, port: 80}]}
`;
    const { addresses } = gatewayIn(judged(gateway(HTTP) + POD + service));
    assert.deepEqual(addresses, [{ type: 'Hostname', value: 'entry.edge.svc.cluster.local' }]);
    const named = gateway(HTTP, 'addresses: [{type: Hostname, value: entry}],') + POD + service;
    assert.deepEqual(gatewayIn(judged(named)).own, { Accepted: true, Programmed: true });
  });

  it('a Gateway without pods, with addresses that nobody has, or of no kind that there is', () => {
    assert.deepEqual(gatewayIn(judged(gateway(HTTP))).own, { Accepted: true, Programmed: 'False AddressNotAssigned' });
    const at = (address: string) => gatewayIn(judged(gateway(HTTP, `addresses: [${address}],`) + POD)).own;
    assert.deepEqual(at('{type: IPAddress, value: 192.0.2.1}'), { Accepted: true, Programmed: 'False AddressNotUsable' });
    assert.deepEqual(at('{type: IPAddress, value: 10.0.0.1}'), { Accepted: true, Programmed: true });
    assert.deepEqual(at('{type: Hostname, value: gone.edge.svc.cluster.local}'), {
      Accepted: true,
      Programmed: 'False AddressNotUsable',
    });
    assert.deepEqual(at('{type: example.com/x, value: y}'), {
      Accepted: 'False UnsupportedAddress',
      Programmed: 'False Invalid',
    });
  });

  it('listeners that conflict, and protocols that are not there', () => {
    const tcp = '{name: tcp, port: 80, protocol: TCP}';
    const { own, listeners } = gatewayIn(judged(gateway(`${HTTP}, ${tcp}, {name: other, port: 81, protocol: HTTP}`) + POD));
    assert.deepEqual(own, { Accepted: 'True ListenersNotValid', Programmed: true });
    for (const name of ['http', 'tcp'])
      assert.deepEqual(
        [listeners[name]?.is['Accepted'], listeners[name]?.is['Conflicted'], listeners[name]?.is['Programmed']],
        ['False ProtocolConflict', 'True ProtocolConflict', 'False ProtocolConflict'],
      );
    assert.equal(listeners['other']?.is['Programmed'], true);
    const udp = gatewayIn(judged(gateway('{name: udp, port: 53, protocol: UDP}') + POD));
    assert.deepEqual(udp.own, { Accepted: 'False ListenersNotValid', Programmed: 'False Invalid' });
    assert.deepEqual(udp.listeners['udp']?.is['Accepted'], 'False UnsupportedProtocol');
    const names = '{name: a, port: 443, protocol: TLS, hostname: a.test, tls: {mode: Passthrough}}';
    const mixed = `${names}, {name: b, port: 443, protocol: HTTPS, hostname: b.test, tls: {certificateRefs: [{name: c}]}}`;
    assert.equal(gatewayIn(judged(gateway(mixed) + POD)).listeners['b']?.is['Programmed'], true, 'names tell them apart');
  });

  it('kinds of routes that a listener cannot take', () => {
    const kinds = (list: string) =>
      gatewayIn(judged(gateway(`{name: http, port: 80, protocol: HTTP, allowedRoutes: {kinds: [${list}]}}`) + POD)).listeners[
        'http'
      ];
    assert.deepEqual(kinds('{kind: HTTPRoute}, {kind: TCPRoute}')?.kinds, ['HTTPRoute']);
    assert.equal(kinds('{kind: HTTPRoute}, {kind: TCPRoute}')?.is['ResolvedRefs'], 'False InvalidRouteKinds');
    assert.deepEqual(kinds('{group: a.b, kind: HTTPRoute}')?.kinds, []);
    assert.equal(kinds('{group: a.b, kind: HTTPRoute}')?.is['Programmed'], 'False Invalid');
  });

  it('certificates: not there, without a grant, of another kind', () => {
    const https = (ref: string, more = '', secret: SecretState = 'usable') =>
      gatewayIn(judged(gateway(`{name: s, port: 443, protocol: HTTPS, tls: {certificateRefs: [${ref}]}}`) + POD + more, secret))
        .listeners['s'];
    assert.equal(https('{name: c}')?.is['Programmed'], true);
    assert.equal(https('{name: c}', '', 'missing')?.is['ResolvedRefs'], 'False InvalidCertificateRef');
    assert.equal(https('{name: c}', '', 'malformed')?.is['Programmed'], 'False Invalid');
    assert.equal(https('{kind: ConfigMap, name: c}')?.is['ResolvedRefs'], 'False InvalidCertificateRef');
    assert.equal(https('{name: c, namespace: keys}')?.is['ResolvedRefs'], 'False RefNotPermitted');
    const grant = (kind: string, to: string) =>
      object(
        'ReferenceGrant',
        'keys',
        'g',
        `{from: [{group: ${GROUP}, kind: ${kind}, namespace: edge}], to: [${to}]}`,
        'v1beta1',
      );
    assert.equal(https('{name: c, namespace: keys}', grant('Gateway', '{group: "", kind: Secret}'))?.is['ResolvedRefs'], true);
    assert.equal(
      https('{name: c, namespace: keys}', grant('Gateway', '{group: "", kind: Secret, name: d}'))?.is['ResolvedRefs'],
      'False RefNotPermitted',
    );
    assert.equal(
      https('{name: c, namespace: keys}', grant('HTTPRoute', '{group: "", kind: Secret}'))?.is['ResolvedRefs'],
      'False RefNotPermitted',
    );
  });

  it('client certificates without authorities close the listener', () => {
    const tls = (ref: string) =>
      gatewayIn(
        judged(
          gateway(
            '{name: s, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}',
            `tls: {frontend: {default: {validation: {caCertificateRefs: [${ref}]}}}},`,
          ) + POD,
        ),
      ).listeners['s'];
    const missing = tls('{group: "", kind: ConfigMap, name: ca}');
    assert.deepEqual(
      [missing?.is['Accepted'], missing?.is['ResolvedRefs'], missing?.is['Programmed']],
      ['False NoValidCACertificate', 'False InvalidCACertificateRef', 'False Invalid'],
    );
    assert.equal(tls('{group: "", kind: Secret, name: ca}')?.is['ResolvedRefs'], 'False InvalidCACertificateKind');
    assert.equal(tls('{group: "", kind: ConfigMap, name: ca, namespace: o}')?.is['ResolvedRefs'], 'False RefNotPermitted');
  });

  it('parents of routes', () => {
    const at = (parent: string, listener = HTTP, namespace = 'edge', more = '') =>
      parentsIn(judged(gateway(listener) + WEB + route(`{parentRefs: [${parent}], ${more} ${TO_WEB}}`, namespace)));
    assert.deepEqual(at('{name: edge}'), [GOOD]);
    assert.deepEqual(at('{name: edge, sectionName: gone}'), [{ ...GOOD, Accepted: 'False NoMatchingParent' }]);
    assert.deepEqual(at('{name: edge, sectionName: http, port: 81}'), [{ ...GOOD, Accepted: 'False NoMatchingParent' }]);
    const [elsewhere] = at('{name: edge, namespace: edge}', HTTP, 'shop');
    assert.equal(elsewhere?.['Accepted'], 'False NotAllowedByListeners');
    assert.deepEqual(at('{name: edge}', '{name: t, port: 9, protocol: TCP}'), [
      { ...GOOD, Accepted: 'False NotAllowedByListeners' },
    ]);
    const named = '{name: http, port: 80, protocol: HTTP, hostname: "*.a.test"}';
    assert.deepEqual(at('{name: edge}', named, 'edge', 'hostnames: [b.test],'), [
      { ...GOOD, Accepted: 'False NoMatchingListenerHostname' },
    ]);
    assert.deepEqual(at('{name: edge}', named, 'edge', 'hostnames: [b.test, x.a.test],'), [GOOD]);
    assert.deepEqual(at('{group: "", kind: Service, name: web}'), [GOOD]);
    assert.deepEqual(at('{group: "", kind: Service, name: web, port: 9}'), [{ ...GOOD, Accepted: 'False NoMatchingParent' }]);
    assert.deepEqual(at('{name: gone}'), [], 'nobody knows whose it would be');
  });

  it('backends of routes', () => {
    const to = (rules: string) =>
      parentsIn(judged(gateway(HTTP) + WEB + route(`{parentRefs: [{name: edge}], rules: [${rules}]}`)));
    assert.deepEqual(to('{backendRefs: [{name: web, port: 80}, {name: gone, port: 80}]}'), [
      { ...GOOD, ResolvedRefs: 'False BackendNotFound' },
    ]);
    assert.deepEqual(to('{backendRefs: [{name: web, port: 81}]}'), [{ ...GOOD, ResolvedRefs: 'False BackendNotFound' }]);
    assert.deepEqual(to('{backendRefs: [{group: a.b, kind: C, name: web}]}'), [{ ...GOOD, ResolvedRefs: 'False InvalidKind' }]);
    assert.deepEqual(to('{backendRefs: [{name: web, namespace: o, port: 80}]}'), [
      { ...GOOD, ResolvedRefs: 'False RefNotPermitted' },
    ]);
    const mirror = '{type: RequestMirror, requestMirror: {backendRef: {name: gone, port: 80}}}';
    assert.deepEqual(to(`{filters: [${mirror}], backendRefs: [{name: web, port: 80}]}`), [
      { ...GOOD, ResolvedRefs: 'False BackendNotFound' },
    ]);
    const extension = '{filters: [{type: ExtensionRef, extensionRef: {group: a.b, kind: C, name: d}}]}';
    assert.deepEqual(to(extension), [{ ...GOOD, Accepted: 'False UnsupportedValue' }]);
    assert.deepEqual(to(`${extension}, {backendRefs: [{name: web, port: 80}]}`), [
      { ...GOOD, PartiallyInvalid: 'True UnsupportedValue' },
    ]);
  });

  it('classes: ours and Istio’s, others left alone', () => {
    const classOf = (controller: string) =>
      object('GatewayClass', '', 'mine', `{controllerName: ${controller}}`).replace(', namespace: ', '');
    const found = (controller: string) => judged(classOf(controller) + gateway(HTTP, '', 'mine'));
    for (const controller of ['gatehouse.dev/gateway-controller', 'istio.io/gateway-controller']) {
      assert.deepEqual(conditionsOf(found(controller), 'GatewayClass', 'mine'), {
        Accepted: true,
        SupportedVersion: true,
      });
      assert.equal(found(controller).unserved.length, 0);
    }
    assert.deepEqual(conditionsOf(found('istio.io/mesh-controller'), 'GatewayClass', 'mine'), {
      Accepted: 'False Unsupported',
      SupportedVersion: true,
    });
    for (const controller of ['istio.io/mesh-controller', 'example.com/other'])
      assert.equal(found(controller).statuses.filter(({ kind }) => kind === 'KubernetesGateway').length, 0);
    assert.deepEqual(found('example.com/other').statuses, []);
    const unknown = judged(gateway(HTTP, '', 'nobody'));
    assert.deepEqual([unknown.statuses, unknown.unserved.length], [[], 1]);
    assert.equal(snapshotOf(gateway(HTTP, '', 'nobody')).gateways.length, 0);
  });

  it('ListenerSets: taken, not allowed, yielding to what was there before', () => {
    const set = (listeners: string) =>
      object('ListenerSet', 'edge', 'more', `{parentRef: {name: edge}, listeners: [${listeners}]}`);
    const found = (allowed: string, listeners: string) => {
      const status = statusOf(judged(gateway(HTTP, allowed) + POD + set(listeners)), 'ListenerSet', 'more');
      assert.ok('conditions' in status);
      return said(status.conditions);
    };
    const ALLOWED = 'allowedListeners: {namespaces: {from: Same}},';
    assert.deepEqual(found('', '{name: a, port: 81, protocol: HTTP}'), {
      Accepted: 'False NotAllowed',
      Programmed: 'False NotAllowed',
    });
    assert.deepEqual(found(ALLOWED, '{name: a, port: 81, protocol: HTTP}'), { Accepted: true, Programmed: true });
    assert.deepEqual(found(ALLOWED, '{name: a, port: 80, protocol: HTTP}'), {
      Accepted: 'False ListenersNotValid',
      Programmed: 'False ListenersNotValid',
    });
    assert.deepEqual(found(ALLOWED, '{name: a, port: 80, protocol: HTTP}, {name: b, port: 81, protocol: HTTP}'), {
      Accepted: 'True ListenersNotValid',
      Programmed: true,
    });
  });

  it('BackendTLSPolicies', () => {
    const policy = (name: string, validation: string, target = '{group: "", kind: Service, name: web}') =>
      object('BackendTLSPolicy', 'edge', name, `{targetRefs: [${target}], validation: {hostname: a.test, ${validation}}}`);
    const SYSTEM = 'wellKnownCACertificates: System';
    const all = (yaml: string, name: string) => {
      const found = statusOf(
        judged(gateway(HTTP) + WEB + route(`{parentRefs: [{name: edge}], ${TO_WEB}}`) + yaml),
        'BackendTLSPolicy',
        name,
      );
      assert.ok('ancestors' in found);
      return found.ancestors.map(({ ancestorRef, conditions }) => ({ of: ancestorRef['kind'], ...said(conditions) }));
    };
    assert.deepEqual(all(policy('p', SYSTEM), 'p'), [{ of: 'Gateway', ...GOOD }]);
    assert.deepEqual(all(policy('a', SYSTEM) + policy('b', SYSTEM), 'b'), [
      { of: 'Gateway', ...GOOD, Accepted: 'False Conflicted' },
    ]);
    assert.deepEqual(all(policy('p', SYSTEM, '{group: "", kind: Service, name: gone}'), 'p'), [
      { of: 'Service', ...GOOD, Accepted: 'False TargetNotFound' },
    ]);
    assert.deepEqual(all(policy('p', 'caCertificateRefs: [{group: "", kind: ConfigMap, name: gone}]'), 'p'), [
      { of: 'Gateway', Accepted: 'False NoValidCACertificate', ResolvedRefs: 'False InvalidCACertificateRef' },
    ]);
    assert.deepEqual(all(policy('p', 'caCertificateRefs: [{group: a.b, kind: C, name: gone}]'), 'p'), [
      { of: 'Gateway', Accepted: 'False NoValidCACertificate', ResolvedRefs: 'False InvalidKind' },
    ]);
  });
});
