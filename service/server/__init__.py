"""What gunicorn runs beside the application: the worker and the access lines."""
