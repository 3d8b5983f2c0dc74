import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';

/** How often a second of CPU does the cryptography that cannot be left out, in node:crypto and in one thread. */
export interface RawSpeed {
  readonly sign: number;
  readonly verify: number;
  readonly verifyRsa: number;
}

export function rawSpeed(seconds: number): RawSpeed {
  const bytes = randomBytes(400);
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [signature, rsaSignature] = [sign('sha256', bytes, ec.privateKey), sign('sha256', bytes, rsa.privateKey)];
  return {
    sign: perCpuSecond(seconds, () => sign('sha256', bytes, ec.privateKey)),
    verify: perCpuSecond(seconds, () => verify('sha256', bytes, ec.publicKey, signature)),
    verifyRsa: perCpuSecond(seconds, () => verify('sha256', bytes, rsa.publicKey, rsaSignature)),
  };
}

/** Certificates a CPU second if each cost these operations and nothing else. */
export function combined(...speeds: readonly number[]): number {
  return 1 / speeds.reduce((sum, speed) => sum + 1 / speed, 0);
}

function perCpuSecond(seconds: number, work: () => unknown): number {
  for (let index = 0; index < 500; index++) work();
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  let done = 0;
  for (; performance.now() - began < seconds * 1000; done += 50) for (let index = 0; index < 50; index++) work();
  const { user, system } = process.cpuUsage(cpu);
  return (done * 1e6) / (user + system);
}
