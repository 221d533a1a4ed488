/** Signs requests to a Lambda function's URL (AWS Signature Version 4), with the credentials that AWS gives to this process. */
import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { Hash } from '@smithy/hash-node'
import { SignatureV4 } from '@smithy/signature-v4'

export interface Signable {
  method: 'GET' | 'POST'
  path: string
  headers: Record<string, string>
  body?: Uint8Array
}

/** Headers with the signature's own. */
export type Signer = (request: Signable) => Promise<Record<string, string>>

/** @param hostname of the function's URL. The signer rejects where no credentials are found */
export function signerOf(hostname: string, region: string): Signer {
  const signer = new SignatureV4({
    service: 'lambda',
    region,
    credentials: defaultProvider(),
    sha256: Hash.bind(null, 'sha256'),
  })
  return async ({ method, path, headers, body }) => {
    const request = { protocol: 'https:', hostname, method, path, headers: { ...headers, host: hostname }, body }
    return (await signer.sign(request)).headers
  }
}
