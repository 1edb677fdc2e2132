"""Ready files: worked examples as workbooks, a function for Google Sheets, a query for Excel."""
