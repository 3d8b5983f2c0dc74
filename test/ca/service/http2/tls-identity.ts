import { createRoot } from '../../../../ca/root/create.ts';
import { TD } from '../../world.ts';

/** Key and certificate of a server whose clients do not look at it. */
export async function tlsIdentity(): Promise<{ readonly key: string; readonly cert: string }> {
  const { keyPem, certificatePem } = await createRoot(TD, new Date());
  return { key: keyPem, cert: certificatePem };
}
