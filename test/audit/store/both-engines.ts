import { PostgresServer } from './postgres-server.ts';
import { sqlitePlace } from './sqlite-place.ts';

type SqlitePlace = Awaited<ReturnType<typeof sqlitePlace>>;
type PostgresPlace = Awaited<ReturnType<PostgresServer['place']>>;

/** One contract on SQLite and, where it is installed, on a PostgreSQL of its own. */
export function onBothEngines(
  title: string,
  contractOf: (engine: string, makePlace: () => Promise<SqlitePlace | PostgresPlace>) => void,
): void {
  contractOf('SQLite', sqlitePlace);

  describe(title, () => {
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
}
