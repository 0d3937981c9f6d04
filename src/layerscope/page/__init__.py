"""What the HTML pages have in common, the report's and the ward's: no network is needed by any."""
