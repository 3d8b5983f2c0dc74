import assert from 'node:assert/strict';
import { findings } from '../../../cli/input/findings.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { TestFolder } from '../folder.ts';

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
`;

function routes(http: string, hosts = 'web', gateways = '[mesh]', name = 'v'): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${hosts}]
  gateways: ${gateways}
  http:
${http}
---
`;
}

const TO_WEB = 'route: [{destination: {host: web}}]';

function gateway(servers: string, name = 'g', selector = '{istio: ingressgateway}'): string {
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: shop}
spec:
  selector: ${selector}
  servers:
${servers}
---
`;
}

function found(text: string): readonly Diagnostic[] {
  const folder = new TestFolder();
  try {
    const { snapshot, written, diagnostics } = loadMesh({ paths: [folder.write('mesh.yaml', text)] });
    return [...diagnostics, ...findings(snapshot, written, new Date('2026-08-01T00:00:00Z'))];
  } finally {
    folder.dispose();
  }
}

/** `code line field`. */
function told(text: string): readonly string[] {
  return found(text).map(({ code, line, field }) => `${code} ${line} ${field ?? ''}`);
}

const HTTP = '  - port: {number: 80, name: http, protocol: HTTP}\n    hosts:';

describe('objects checked against each other', () => {
  describe('matches', () => {
    const cases: readonly (readonly [title: string, earlier: string, later: string, shadowed: boolean])[] = [
      ['a longer prefix', '{uri: {prefix: /a}}', '{uri: {prefix: /a/b}}', true],
      ['a shorter prefix', '{uri: {prefix: /a/b}}', '{uri: {prefix: /a}}', false],
      ['an exact path below a prefix', '{uri: {prefix: /a}}', '{uri: {exact: /ab}}', true],
      ['more conditions', '{uri: {prefix: /a}}', '{uri: {prefix: /a}, method: {exact: GET}}', true],
      ['fewer conditions', '{uri: {prefix: /a}, method: {exact: GET}}', '{uri: {prefix: /a}}', false],
      ['another header value', '{headers: {x: {exact: a}}}', '{headers: {x: {exact: b}}}', false],
      ['a header that need only be there', '{headers: {x: {}}}', '{headers: {x: {exact: b}}}', true],
      ['a header that must not be there', '{withoutHeaders: {x: {}}}', '{uri: {prefix: /b}}', false],
      ['a case that does not count', '{uri: {prefix: /A}, ignoreUriCase: true}', '{uri: {exact: /ab}}', true],
      ['a case that counts', '{uri: {prefix: /a}}', '{uri: {prefix: /ab}, ignoreUriCase: true}', false],
      ['other callers', '{sourceLabels: {app: a}}', '{sourceLabels: {app: b}}', false],
      ['more labels of callers', '{sourceLabels: {app: a}}', '{sourceLabels: {app: a, version: v1}}', true],
      ['one of the gateways', '{gateways: [mesh, shop/g]}', '{gateways: [mesh]}', true],
      ['the same expression', '{uri: {regex: "/a.*"}}', '{uri: {regex: "/a.*"}, port: 80}', true],
      ['another expression', '{uri: {regex: "/a.*"}}', '{uri: {regex: "/ab.*"}}', false],
      ['another query parameter', '{queryParams: {a: {exact: "1"}}}', '{queryParams: {b: {exact: "1"}}}', false],
    ];
    for (const [title, earlier, later, shadowed] of cases) {
      it(`${title}: ${shadowed ? 'behind' : 'not behind'} the route before`, () => {
        const codes = told(
          SERVICE + routes(`  - match: [${earlier}]\n    ${TO_WEB}\n  - match: [${later}]\n    ${TO_WEB}`),
        ).filter((one) => one.startsWith('shadowed-match'));
        assert.deepEqual(codes, shadowed ? ['shadowed-match 15 spec.http[1].match[0]'] : []);
      });
    }

    it('a route after one that takes all is told once', () => {
      const text = SERVICE + routes(`  - ${TO_WEB}\n  - match: [{uri: {prefix: /a}}]\n    ${TO_WEB}`);
      assert.deepEqual(told(text), ['unreachable-route 14 spec.http[1]']);
    });
  });

  it('a rule of a TLSRoute or TCPRoute behind the first', () => {
    const rule = '{backendRefs: [{name: web, port: 80}]}';
    const route = (kind: string, rules: string) => `apiVersion: gateway.networking.k8s.io/v1alpha2
kind: ${kind}
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: web}]
  rules:
${rules}
---
`;
    const found = (kind: string, rules: string) =>
      told(SERVICE + route(kind, rules)).filter((one) => one.startsWith('unreachable-route'));
    for (const kind of ['TCPRoute', 'TLSRoute']) {
      assert.deepEqual(found(kind, `  - ${rule}`), []);
      assert.deepEqual(found(kind, `  - ${rule}\n  - ${rule}\n  - ${rule}`), [
        'unreachable-route 13 spec.rules[1]',
        'unreachable-route 14 spec.rules[2]',
      ]);
    }
  });

  it('a Gateway that accepts none of the hosts, where another one does', () => {
    const text =
      SERVICE +
      gateway(`${HTTP} [a.example]`, 'g') +
      gateway(`${HTTP} [b.example]`, 'h') +
      routes(`  - ${TO_WEB}`, 'a.example', '[g, h]');
    assert.deepEqual(told(text), ['host-not-in-gateway 29 spec.gateways[1]']);
  });

  it('a Gateway of the Gateway API is there', () => {
    const text = `${SERVICE}apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g, namespace: shop}
spec: {gatewayClassName: istio, listeners: [{name: http, hostname: "*.example", port: 80, protocol: HTTP}]}
---
${routes(`  - ${TO_WEB}`, 'a.example', '[g]')}`;
    assert.deepEqual(
      told(text).filter((one) => /gateway /.test(one)),
      [],
    );
  });

  it('Gateways with one host on one port, alike or not', () => {
    const tcp = '  - port: {number: 80, name: tcp, protocol: TCP}\n    hosts:';
    const severities = (other: string): readonly string[] =>
      found(SERVICE + gateway(`${HTTP} [a.example]`) + gateway(`${other} [b.example, a.example]`, 'h'))
        .filter(({ code }) => code === 'gateway-conflict')
        .map(({ severity }) => severity);
    assert.deepEqual(severities(HTTP), ['info', 'info']);
    assert.deepEqual(severities(tcp), ['warning', 'warning']);
  });

  it('a selector of a gateway that is not there', () => {
    assert.deepEqual(told(SERVICE + gateway(`${HTTP} ["*"]`, 'g', '{app: edge}')), ['selects-nothing 10 spec.selector']);
    assert.deepEqual(told(SERVICE + gateway(`${HTTP} ["*"]`)), []);
  });

  it('a Service whose ports tell no protocol', () => {
    const text = SERVICE.replace('name: http', 'name: main');
    assert.deepEqual(told(text), ['port-without-protocol 4 spec.ports[0]']);
  });

  it('what is wrong with a Secret is told without its contents', () => {
    const secret = `apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: istio-system}
stringData: {tls.crt: not-a-certificate, tls.key: my-secret-key}
---
`;
    const server = `  - port: {number: 443, name: https, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: cert}
    hosts: [a.example]`;
    const all = found(SERVICE + secret + gateway(server));
    assert.deepEqual(
      all.map(({ code, line }) => `${code} ${line}`),
      ['bad-secret 18'],
    );
    assert.doesNotMatch(JSON.stringify(all), /not-a-certificate|my-secret-key/);
  });
});
