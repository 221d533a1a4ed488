/** Where originals, uploads and the journal of writes are kept: the data folder, or what `MEDIA_URL` names for several processes. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BlobStore } from '../blobs/blob-store.ts'
import { type Config, ConfigError } from '../config.ts'
import { createSynced, fsyncFolder } from '../durable.ts'
import { JobRecords } from '../jobs/job-records.ts'
import { WriteJournal } from '../journal/write-journal.ts'
import { FolderObjects } from '../objects/folder-objects.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { UploadService } from '../services/uploads.ts'
import type { DataDir } from './data-dir.ts'

export interface Files {
  blobs: BlobStore
  journal: WriteJournal
  uploads: UploadService
  jobs: JobRecords
  /** Originals to be deleted, where several processes keep them together; undefined where one does. */
  doomed: ObjectStore | undefined
}

type Folders = Pick<DataDir, 'journalDir' | 'uploadsDir' | 'jobsDir'> & { originalsDir: string }

/** Of one process. */
export function filesIn({ originalsDir, journalDir, uploadsDir, jobsDir }: Folders): Files {
  return {
    blobs: new BlobStore(new FolderObjects(originalsDir)),
    journal: new WriteJournal(new FolderObjects(journalDir)),
    uploads: new UploadService(new FolderObjects(uploadsDir)),
    jobs: new JobRecords(new FolderObjects(jobsDir)),
    doomed: undefined,
  }
}

/** Of all processes that name the same place. @throws ConfigError */
export async function sharedFiles(media: NonNullable<Config['media']>): Promise<Files> {
  const room = media.kind === 's3' ? await bucketRooms(media) : await folderRooms(media.dir)
  return {
    blobs: new BlobStore(room('originals')),
    journal: new WriteJournal(room('journal')),
    uploads: new UploadService(room('uploads')),
    jobs: new JobRecords(room('jobs')),
    doomed: room('doomed'),
  }
}

async function bucketRooms(media: Extract<Config['media'], { kind: 's3' }>): Promise<(name: string) => ObjectStore> {
  const { S3Objects } = await import('../objects/s3-objects.ts') // large, and needed by few
  const bucket = new S3Objects(media)
  return (name) => bucket.room(name)
}

const MARKER = 'onepeace-media.json'

/** The marker tells a share that is not mounted, whose folder is empty, from one that is. */
async function folderRooms(dir: string): Promise<(name: string) => ObjectStore> {
  const marker = join(dir, MARKER)
  try {
    await mkdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const names = await readdir(dir)
    if (names.length > 0 && !names.includes(MARKER)) throw new ConfigError('it holds other files')
    if (names.length === 0) {
      await createSynced(marker, `${JSON.stringify({ format: 'onepeace-media', version: 1 })}\n`).catch(unlessMade)
      await fsyncFolder(dir)
    }
  } catch (error) {
    const why = (error as Error).message
    throw new ConfigError(
      `The folder ${dir} of MEDIA_URL cannot be used: ${why}. Name an empty folder, or one made by this.`,
    )
  }
  return (name) => new FolderObjects(join(dir, name), { isShared: true, marker })
}

/** Several processes may start at once. */
function unlessMade(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
