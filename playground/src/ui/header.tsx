/** Name, model, views, collection, key. */
import { useEffect, useState } from 'preact/hooks'
import { hashOf, type View } from '../logic/route.ts'
import { counted } from '../logic/words.ts'
import { useSession } from '../session.ts'

interface HeaderProps {
  view: View
  views: readonly { view: View; name: string }[]
  /** Uploads on their way. */
  busy: number
}

export function Header({ view, views, busy }: HeaderProps) {
  const { model, collection } = useSession()
  return (
    <header>
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <div class="bar">
        <a
          class="wordmark"
          href="#/search"
          title={model && `${model.id}, ${model.dims} dimensions, ${model.precision}`}
        >
          <Mark /> onepeace
        </a>
        <nav aria-label="Views">
          {views.map(({ view: each, name }) => (
            <a key={each} href={hashOf({ view: each, collection })} aria-current={each === view ? 'page' : undefined}>
              {name}
              {each === 'add' && busy > 0 && <span class="badge">{busy}</span>}
            </a>
          ))}
        </nav>
        <div class="tools">
          <CollectionChooser />
          <KeyField />
          <a class="docs" href="/docs">
            API
          </a>
        </div>
      </div>
    </header>
  )
}

/** A button, as the hash of a link would be taken for a route. */
function skip(): void {
  const main = document.getElementById('main')!
  main.tabIndex = -1
  main.focus()
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" class="mark">
      <circle cx="12" cy="12.5" r="7.5" data-kind="text" />
      <circle cx="20" cy="12.5" r="7.5" data-kind="image" />
      <circle cx="16" cy="20" r="7.5" data-kind="audio" />
    </svg>
  )
}

function CollectionChooser() {
  const { collections, collection, choose, state } = useSession()
  if (state !== 'ready' || collections.length === 0) return null
  return (
    <label class="chooser">
      <span class="hidden">Collection</span>
      <select value={collection} onChange={(event) => choose(event.currentTarget.value)}>
        {collections.map(({ name, items }) => (
          <option key={name} value={name}>
            {name} · {counted(items, 'item')}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Kept for this tab only. Opens by itself where the service asks for a key. */
function KeyField() {
  const { key, useKey, error } = useSession()
  const [draft, setDraft] = useState(key)
  const [isOpen, setOpen] = useState(false)
  const isWanted = error?.status === 401 || error?.status === 403
  useEffect(() => {
    if (isWanted) setOpen(true)
  }, [isWanted])
  return (
    <details class="key" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{key === '' ? 'Key' : 'Key set'}</summary>
      <form
        class="popover"
        onSubmit={(event) => {
          event.preventDefault()
          useKey(draft.trim())
          setOpen(false)
        }}
      >
        <label>
          Key
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={draft}
            onInput={(event) => setDraft(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Use it
        </button>
        <p class="small muted">
          Needed where the service has keys; <code>onepeace keys create</code> makes one. It stays in this tab.
        </p>
      </form>
    </details>
  )
}
