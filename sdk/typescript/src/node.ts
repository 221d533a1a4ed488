/** For Node: files by their path. */
import { openAsBlob } from 'node:fs'

/** A file as a Blob that is read when it is sent, not before. @throws if it cannot be opened */
export function fileAt(path: string | URL): Promise<Blob> {
  return openAsBlob(path)
}
