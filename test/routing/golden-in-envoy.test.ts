import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { staticConfig } from '../../routing/static.ts';
import { envoyOrSkip, envoyPath } from '../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { goldenCases } from './golden.test.ts';

describe('golden files of routing in the real Envoy', function () {
  this.timeout(60_000);
  let folder = '';

  before(function () {
    envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  });

  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  for (const { name, yaml, proxies } of goldenCases()) {
    it(`accepts ${name}`, () => {
      for (const proxy of proxies) {
        const config = staticConfig(compiledFor(snapshotOf(yaml), proxy), {
          node: { id: 'test', cluster: 'test' },
          secrets: { kind: 'sds', socket: join(folder, 'sds.sock') },
          accessLog: { kind: 'grpc', address: '127.0.0.1', port: 15012, serverName: 'gatehouse' },
        });
        const file = join(folder, 'envoy.json');
        writeFileSync(file, JSON.stringify(config));
        execFileSync(envoyPath() ?? '', ['--mode', 'validate', '-c', file, '-l', 'error'], { stdio: 'pipe' });
      }
    });
  }
});
