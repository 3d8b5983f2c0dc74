import fastify from 'fastify';
import { sqliteFileReader } from '../../audit/store/sqlite-read.ts';
import type { ListenAddress } from '../options/address.ts';
import { listenHttp } from './http-listen.ts';
import { addReportPage } from './page.ts';

export interface PageServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/** Serves the report of who talked to whom. Reads the audit store beside its writer. */
export async function startPage(address: ListenAddress, auditFile: string, clock: () => Date): Promise<PageServer> {
  const app = fastify({ logger: false, bodyLimit: 1024 });
  addReportPage(app, { store: sqliteFileReader(auditFile), clock });
  return { address: await listenHttp(app, address, '--page-address'), close: () => app.close() };
}
