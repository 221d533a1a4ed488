/** Add: many files and texts into a collection, and how each fared. */
import { useState } from 'preact/hooks'
import type { Schemas } from '../api/call.ts'
import { addItemCall, createCollectionCall } from '../api/calls.ts'
import { bytesInWords, counted } from '../logic/words.ts'
import { useSession } from '../session.ts'
import { CaptureButtons, FileButton } from '../ui/capture.tsx'
import { KindMark } from '../ui/chips.tsx'
import { CopyAs } from '../ui/copy-as.tsx'
import { useAsk } from '../ui/hooks.ts'
import { ProblemNote } from '../ui/problem.tsx'
import { contentOfFile } from './use-search.ts'
import type { Upload, Uploads } from './use-uploads.ts'

export function AddView({ uploads }: { uploads: Uploads }) {
  const { collection } = useSession()
  return (
    <>
      <NewCollection />
      {collection === '' ? (
        <p class="empty">Make a collection first; then there is a place for pictures, sounds and texts.</p>
      ) : (
        <>
          <Ways uploads={uploads} />
          <Progress uploads={uploads} />
        </>
      )}
    </>
  )
}

function NewCollection() {
  const { refresh, choose, collection } = useSession()
  const [name, setName] = useState('')
  const [asking, ask] = useAsk<Schemas['Collection']>()
  return (
    <form
      class="panel"
      aria-label="Collection"
      onSubmit={async (event) => {
        event.preventDefault()
        const made = await ask(createCollectionCall(name.trim()))
        if (!made) return
        await refresh()
        choose(made.name)
        setName('')
      }}
    >
      <div class="row">
        <span>
          {collection === '' ? (
            'No collection yet.'
          ) : (
            <>
              Into <strong>{collection}</strong>, or a new one:
            </>
          )}
        </span>
        <input
          type="text"
          aria-label="Name of a new collection"
          placeholder="holiday-2026"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" disabled={name.trim() === '' || asking.state === 'busy'}>
          Make it
        </button>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
    </form>
  )
}

function Ways({ uploads }: { uploads: Uploads }) {
  const [texts, setTexts] = useState('')
  const lines = texts
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  const take = (files: File[]) => uploads.add(files.map(contentOfFile))
  return (
    <div class="ways">
      <section class="panel drop" aria-label="Files">
        <p>Drop pictures and sounds here</p>
        <div class="row">
          <FileButton label="Files…" multiple accept="" onFiles={take} />
          <CaptureButtons onFiles={take} />
        </div>
      </section>
      <form
        class="panel"
        aria-label="Texts"
        onSubmit={(event) => {
          event.preventDefault()
          uploads.add(lines.map((text) => ({ kind: 'text', text })))
          setTexts('')
        }}
      >
        <label class="field">
          Texts, one a line
          <textarea rows={3} value={texts} onInput={(event) => setTexts(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={lines.length === 0}>
          Add {counted(lines.length, 'text')}
        </button>
      </form>
    </div>
  )
}

function Progress({ uploads }: { uploads: Uploads }) {
  const { list, left, isRunning } = uploads
  if (list.length === 0) return null
  const failed = list.filter(({ state }) => state === 'failed')
  const done = list.filter(({ state }) => state === 'done').length
  const settled = done + failed.length
  const last = list.at(-1)!
  return (
    <section class="panel" aria-label="Progress">
      <div class="row head">
        <p role="status">
          {done} of {counted(list.length, 'thing')} added{failed.length > 0 && `, ${failed.length} failed`}
          {isRunning ? '…' : '.'}
        </p>
        {isRunning && (
          <button type="button" onClick={uploads.stop}>
            Stop
          </button>
        )}
        {!isRunning && settled - done + left > 0 && (
          <button type="button" onClick={uploads.retry}>
            Try {counted(settled - done + left, 'thing')} again
          </button>
        )}
        {!isRunning && (
          <button type="button" class="quiet" onClick={uploads.clear}>
            Clear the list
          </button>
        )}
        <CopyAs call={addItemCall(last.collection, last.content)} />
      </div>
      <progress max={list.length} value={settled} aria-label="Things settled" />
      <ul class="uploads" aria-label="Things">
        {/* What failed comes first: it is what one has to look at. */}
        {[...failed, ...list.filter(({ state }) => state !== 'failed')].map((upload) => (
          <Row key={upload.key} upload={upload} />
        ))}
      </ul>
    </section>
  )
}

const STATES = { waiting: 'waiting', sending: 'sending…', done: 'added', failed: 'failed' }

function Row({ upload: { content, state, error } }: { upload: Upload }) {
  return (
    <li data-state={state}>
      <KindMark kind={content.kind} />
      <span class="name">{content.kind === 'text' ? content.text : content.name}</span>
      <span class="small muted">{content.kind !== 'text' && bytesInWords(content.file.size)}</span>
      <span class="state">{STATES[state]}</span>
      {error && <span class="why">{error.message}</span>}
    </li>
  )
}
