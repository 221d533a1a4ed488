/** The playground: everything the API does, in a page. It calls the public API and nothing else. */
import { render } from 'preact'
import { App } from './app.tsx'
import './styles/base.css'
import './styles/shell.css'
import './styles/query.css'
import './styles/gallery.css'
import './styles/views.css'

render(<App />, document.getElementById('app')!)
