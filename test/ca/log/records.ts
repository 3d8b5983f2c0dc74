import type { LogRecord } from '../../../ca/log/record.ts';

/** That a certificate is going to be issued. */
export const intent = (serial: string): LogRecord => ({
  kind: 'intent',
  time: '2026-11-21T12:00:00.000Z',
  serial,
  names: 'URI:spiffe://cluster.local/ns/a/sa/b',
  evidence: { kind: 'token', subject: 'system:serviceaccount:a:b' },
  key: 'P-256',
  notBefore: '2026-11-21T11:58:00.000Z',
  notAfter: '2026-11-21T13:00:00.000Z',
});
