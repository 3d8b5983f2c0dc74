import { contractOf } from './contract.ts';
import { PostgresServer } from './postgres-server.ts';
import { sqlitePlace } from './sqlite-place.ts';

contractOf('SQLite', sqlitePlace);

describe('audit: store on PostgreSQL', () => {
  let server: PostgresServer | undefined;
  before(async function () {
    this.timeout(120_000);
    server = await PostgresServer.start();
    if (server === undefined) this.skip();
  });
  after(async function () {
    this.timeout(60_000);
    await server?.close();
  });
  contractOf('PostgreSQL', () => {
    if (server === undefined) throw new Error('no server');
    return server.place();
  });
});
