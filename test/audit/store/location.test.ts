import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { locationText, parseStoreLocation } from '../../../audit/store/location.ts';

const url = (text: string, passwordFile?: string): string => {
  const parsed = parseStoreLocation(text, passwordFile);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.reason);
  assert.equal(parsed.value.engine, 'postgres');
  return parsed.value.engine === 'postgres' ? parsed.value.url : '';
};

describe('audit: where a store is', () => {
  it('a file', () =>
    assert.deepEqual(parseStoreLocation('audit.db'), { ok: true, value: { engine: 'sqlite', file: resolve('audit.db') } }));
  it('a database: over the network only with TLS that is verified, unless the address says otherwise', () => {
    assert.equal(
      url('postgres://gatehouse@db.example:5433/audit'),
      'postgres://gatehouse@db.example:5433/audit?sslmode=verify-full',
    );
    assert.equal(url('postgresql://db.example/audit?sslmode=disable'), 'postgresql://db.example/audit?sslmode=disable');
    assert.equal(url('postgres://gatehouse@127.0.0.1/audit'), 'postgres://gatehouse@127.0.0.1/audit');
    assert.equal(url('postgres://gatehouse@[::1]:5/audit'), 'postgres://gatehouse@[::1]:5/audit');
    assert.equal(url('postgres:///audit?host=/run/postgresql'), 'postgres://localhost/audit?host=/run/postgresql');
    assert.match(url('postgres://localhost/audit?host=db.example'), /sslmode=verify-full/);
    assert.match(url('postgres://u@127.db.example/audit'), /sslmode=verify-full/);
  });
  it('never with a password in it', () => {
    for (const text of ['postgres://u:secret@h/audit', 'postgres://u@h/audit?password=secret', 'postgres://:secret@h/audit']) {
      const parsed = parseStoreLocation(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.reason, /PGPASSFILE/);
      assert.doesNotMatch(parsed.reason, /secret/);
    }
  });
  it('nothing else', () => {
    for (const [text, why] of [
      ['mysql://h/audit', /mysql:\/\/ is neither a file nor postgres/],
      ['postgres://h', /names no database/],
      ['postgres://h/', /names no database/],
      ['postgres://h:99999/audit', /not an address/],
    ] as const) {
      const parsed = parseStoreLocation(text);
      assert.ok(!parsed.ok, text);
      assert.match(parsed.reason, why);
    }
    for (const text of [
      'postgres://h/audit?sslmode=no-verify',
      'postgres://h/audit?sslmode=prefer',
      'postgres://h/audit?options=-csearch_path',
    ])
      assert.equal(parseStoreLocation(text).ok, false, text);
    assert.equal(parseStoreLocation('audit.db', '/run/password').ok, false);
  });
  it('is named to people without what follows it', () => {
    const parsed = parseStoreLocation('postgres://u@db.example:5433/audit?sslmode=require', '/run/password');
    assert.equal(parsed.ok && locationText(parsed.value), 'postgres://db.example:5433/audit');
  });
});
