import assert from 'node:assert/strict';
import { protocolOf } from '../../mesh/admit/core/protocol.ts';

const ROWS: readonly (readonly [name: string, appProtocol: string, wanted: string, port?: number, transport?: string])[] = [
  ['http', '', 'http'],
  ['HTTP-web', '', 'http'],
  ['http2', '', 'http2'],
  ['http2-x', '', 'http2'],
  ['grpc', '', 'grpc'],
  ['grpc-web', '', 'http'],
  ['grpc-web-x', '', 'http'],
  ['https-x', '', 'https'],
  ['tls', '', 'tls'],
  ['tcp-db', '', 'tcp'],
  ['mysql', '', 'tcp'],
  ['mongo-x', '', 'tcp'],
  ['redis', '', 'tcp'],
  ['udp-x', '', 'udp'],
  ['httpx', '', 'unknown'],
  ['web', '', 'unknown'],
  ['', '', 'unknown'],
  ['web', 'kubernetes.io/h2c', 'http2'],
  ['web', 'kubernetes.io/ws', 'http'],
  ['web', 'kubernetes.io/wss', 'https'],
  ['web', 'HTTP', 'http'],
  ['web', 'grpc', 'grpc'],
  ['web', 'http-of-ours', 'http'],
  // It goes before the name also where it tells nothing.
  ['http', 'example.com/own', 'unknown'],
  ['tcp', 'http', 'http'],
  ['http', 'tcp', 'tcp'],
  // Names of ports cannot be Kubernetes's own.
  ['kubernetes.io/h2c', '', 'unknown'],
  ['web', '', 'tcp', 3306],
  ['web', '', 'tcp', 53],
  ['web', 'http', 'http', 3306],
  ['http', '', 'udp', 53, 'UDP'],
];

describe('protocols of Service ports', () => {
  for (const [name, appProtocol, wanted, port = 8080, transport = 'TCP'] of ROWS) {
    it(`name "${name}", appProtocol "${appProtocol}", ${transport} port ${port}: ${wanted}`, () => {
      assert.equal(protocolOf(port, name, appProtocol, transport), wanted);
    });
  }
});
